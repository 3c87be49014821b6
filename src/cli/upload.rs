//! `interline members import FILE` and its like: sends a file to a hub, over HTTP, as any partner's program
//! could.
//!
//! How far it went is what the hub says: whoever stops it starts it again with the same file, and it goes on.
//! The import is found by the hash of the file, so the same file is the same import for as long as the hub
//! keeps keys, and one that was sent whole is only told about again.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::say;
use crate::imports::{Format, Kind};
use crate::web::client;
use crate::web::stream::LONGEST_LINE;

/// The most lines and bytes of a piece.
const LINES: usize = 2_048;
const BYTES: usize = 1 << 20;

/// How often a piece is sent when it does not arrive, and the first wait between.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);

/// How long an answer may take: the hub works on a piece before it answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which file goes where.
#[derive(Debug, Args)]
pub struct Arguments {
    file: PathBuf,
    /// How its lines are written; by the ending of its name when left out
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    #[command(flatten)]
    hub: HubArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    Csv,
    Ndjson,
}

/// Where the hub is, and who asks. The secret is taken from the environment: arguments are seen by others.
#[derive(Debug, Args)]
struct HubArgs {
    /// Where the hub is reached
    #[arg(
        long,
        value_name = "URL",
        env = "INTERLINE_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,
    /// The client id of your credential; its secret is in INTERLINE_CLIENT_SECRET
    #[arg(long, value_name = "ID", env = "INTERLINE_CLIENT_ID")]
    client_id: Option<String>,
    /// Take the address, the id and the secret from a file as `interline demo --credentials` writes it
    #[arg(long, value_name = "FILE", requires = "partner")]
    credentials: Option<PathBuf>,
    /// Whose of that file
    #[arg(long, value_name = "CODE", requires = "credentials")]
    partner: Option<String>,
}

/// Who asks, and where.
#[derive(Debug, Clone)]
pub struct Account {
    pub url: String,
    pub client_id: String,
    pub client_secret: String,
}

/// Of a file of credentials, what a partner's programs need.
#[derive(serde::Deserialize)]
struct Kept {
    base_url: String,
    partners: Vec<KeptPartner>,
}

#[derive(serde::Deserialize)]
struct KeptPartner {
    code: String,
    client_id: String,
    client_secret: String,
}

impl HubArgs {
    fn account(self) -> anyhow::Result<Account> {
        if let (Some(file), Some(code)) = (&self.credentials, &self.partner) {
            let text =
                std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let kept: Kept = serde_json::from_slice(&text)
                .with_context(|| format!("{} has no credentials in it", file.display()))?;
            let found = kept.partners.into_iter().find(|it| it.code == *code);
            let found = found.with_context(|| format!("{} has no {code}", file.display()))?;
            return Ok(Account {
                url: kept.base_url,
                client_id: found.client_id,
                client_secret: found.client_secret,
            });
        }
        let rule = "say who you are: INTERLINE_CLIENT_ID and INTERLINE_CLIENT_SECRET, or --credentials FILE \
                    --partner CODE";
        Ok(Account {
            url: self.url.trim_end_matches('/').to_owned(),
            client_id: self.client_id.context(rule)?,
            client_secret: std::env::var("INTERLINE_CLIENT_SECRET").context(rule)?,
        })
    }
}

/// A file of lines, read as the hub reads it.
struct Lines {
    path: PathBuf,
    /// Where the last piece ended: the number of the line after it.
    at: (i64, BufReader<File>),
    /// How many there are.
    count: i64,
    /// Of the whole file, in hexadecimal.
    hash: String,
}

/// Sends a file. Exit status 1 when lines were refused.
pub async fn run(kind: Kind, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments {
        file,
        format,
        hub,
        json,
    } = arguments;
    let format = match format {
        Some(FormatName::Csv) => Format::Csv,
        Some(FormatName::Ndjson) => Format::Ndjson,
        None => of_ending(&file)?,
    };
    let account = hub.account()?;
    let bar = match json {
        true => ProgressBar::hidden(),
        false => ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "{wide_bar} {human_pos} of {human_len} lines, {msg} refused, {eta} left",
        )?),
    };
    let sent = tokio::select! {
        sent = send(&account, kind, format, &file, &bar) => sent?,
        _ = tokio::signal::ctrl_c() => {
            bar.abandon();
            bail!("stopped before line {}; start it again with the same file, and it goes on from there", bar.position() + 1)
        }
    };
    bar.finish_and_clear();
    match json {
        true => say(serde_json::to_string_pretty(&sent)?),
        false => tell(&file, &sent),
    }
    Ok(ExitCode::from(u8::from(sent["refused"] != 0)))
}

fn of_ending(file: &Path) -> anyhow::Result<Format> {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok(Format::Csv),
        Some("ndjson" | "jsonl") => Ok(Format::Ndjson),
        _ => bail!(
            "{} ends neither with .csv nor with .ndjson: say --format csv or --format ndjson",
            file.display()
        ),
    }
}

fn tell(file: &Path, sent: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for refused in sent["refusals"].as_array().into_iter().flatten() {
        let field = match &refused["field"] {
            Value::String(field) => format!("{field}: "),
            _ => String::new(),
        };
        let (line, code) = (&refused["line"], text(&refused["code"]));
        let (detail, advice) = (text(&refused["detail"]), text(&refused["advice"]));
        say(format!("line {line}: {field}{detail} ({code}). {advice}"));
    }
    let given = sent["given"].as_array().into_iter().flatten();
    let given = given.map(|it| format!(", {} {}", text(&it["amount"]), text(&it["currency"])));
    let (kind, id, done) = (text(&sent["kind"]), text(&sent["id"]), &sent["done"]);
    let (refused, given) = (&sent["refused"], given.collect::<String>());
    let file = file.display();
    say(format!(
        "{file}: {done} {kind} went in{given}; {refused} lines did not. The import is {id}."
    ));
}

/// Sends the file, or what is left of it, and says what became of it.
pub async fn send(
    account: &Account,
    kind: Kind,
    format: Format,
    file: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<Value> {
    let mut lines = Lines::of(file)?;
    bar.set_length(lines.count.unsigned_abs());
    let mut sender = Sender::new(account)?;
    let body = json!({"kind": kind, "format": format, "name": format!("sha256:{}", lines.hash)});
    let key = format!("{}-{}-{}", kind.name(), format.name(), lines.hash);
    let begun = sender.post("/v1/imports", &key, &body).await?;
    let id = begun["id"].as_str().context("the hub names no import")?;
    let path = format!("/v1/imports/{id}");

    let mut import = sender.get(&path).await?;
    while import["state"] == "open" && next(&import)? <= lines.count {
        import = piece(&mut sender, &path, format, &mut lines, next(&import)?).await?;
        bar.set_message(import["refused"].to_string());
        bar.set_position((next(&import)? - 1).unsigned_abs());
    }
    if import["state"] == "open" {
        let body = json!({"lines": lines.count});
        import = sender.post(&format!("{path}/finish"), &key, &body).await?;
    }
    import["refusals"] = refusals(&mut sender, &path).await?.into();
    Ok(import)
}

fn next(import: &Value) -> anyhow::Result<i64> {
    let next = import["next_line"].as_i64();
    next.context("the hub does not say where to go on")
}

/// Sends the piece that begins with a line. When that does not arrive, the hub is asked where to go on.
async fn piece(
    sender: &mut Sender,
    path: &str,
    format: Format,
    lines: &mut Lines,
    from: i64,
) -> anyhow::Result<Value> {
    let body = lines.piece(from)?;
    let to = format!("{path}/lines?from={from}");
    let request = |sender: &Sender| {
        let request = sender.request(Method::PUT, &to);
        request
            .header("content-type", format.content_type())
            .body(body.clone())
    };
    sender.ask(request).await
}

async fn refusals(sender: &mut Sender, path: &str) -> anyhow::Result<Vec<Value>> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = sender
            .get(&format!("{path}/refusals?limit=200{cursor}"))
            .await?;
        all.extend(page["items"].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(all),
        }
    }
}

impl Lines {
    fn of(path: &Path) -> anyhow::Result<Lines> {
        let mut reader = open(path)?;
        let (mut digest, mut count, mut is_open) = (Sha256::new(), 0, false);
        loop {
            let some = reader.fill_buf()?;
            let Some(last) = some.last() else {
                break;
            };
            is_open = *last != b'\n';
            digest.update(some);
            count += some.iter().filter(|byte| **byte == b'\n').count() as i64;
            let length = some.len();
            reader.consume(length);
        }
        let count = count + i64::from(is_open);
        if count == 0 {
            bail!("{} is empty: there is nothing to import", path.display());
        }
        Ok(Lines {
            at: (1, open(path)?),
            path: path.to_owned(),
            count,
            hash: hex::encode(digest.finalize()),
        })
    }

    /// The lines from one on, so many as make a piece.
    fn piece(&mut self, from: i64) -> anyhow::Result<Vec<u8>> {
        if self.at.0 > from {
            self.at = (1, open(&self.path)?);
        }
        let (next, reader) = &mut self.at;
        let (mut line, mut piece, mut count) = (Vec::new(), Vec::new(), 0);
        while count < LINES && piece.len() < BYTES && read_line(reader, &mut line)? {
            if *next >= from {
                piece.extend_from_slice(&line);
                count += 1;
            }
            *next += 1;
        }
        Ok(piece)
    }
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(BufReader::with_capacity(BYTES, file))
}

/// Reads a line with its end; false when there is none. Of one that is too long only so much that it still is.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut is_one = false;
    loop {
        let some = reader.fill_buf()?;
        if some.is_empty() {
            return Ok(is_one);
        }
        is_one = true;
        let end = some.iter().position(|byte| *byte == b'\n');
        let whole = end.map_or(some.len(), |at| at + 1);
        let kept = (2 * LONGEST_LINE).saturating_sub(line.len()).min(whole);
        line.extend_from_slice(&some[..kept]);
        reader.consume(whole);
        if end.is_some() {
            if line.last() != Some(&b'\n') {
                line.push(b'\n');
            }
            return Ok(true);
        }
    }
}

/// Somebody who asks a hub, patiently.
struct Sender {
    http: Client,
    account: Account,
    token: Option<String>,
}

impl Sender {
    fn new(account: &Account) -> anyhow::Result<Sender> {
        let builder = match account.url.starts_with("https:") {
            true => Client::builder(),
            false => client::builder(),
        };
        Ok(Sender {
            http: builder.timeout(PATIENCE).build()?,
            account: account.clone(),
            token: None,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.account.url);
        let request = self.http.request(method, url);
        request.bearer_auth(self.token.as_deref().unwrap_or_default())
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        self.ask(|sender| sender.request(Method::GET, path)).await
    }

    async fn post(&mut self, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        let request = |sender: &Sender| {
            let request = sender.request(Method::POST, path);
            request.header("idempotency-key", key).json(body)
        };
        self.ask(request).await
    }

    /// Asks until there is an answer: a new token when the one there is has ended, and again when the hub is
    /// away or has too much to do.
    async fn ask(&mut self, request: impl Fn(&Sender) -> RequestBuilder) -> anyhow::Result<Value> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            if self.token.is_none() {
                self.token = Some(self.sign_in().await?);
            }
            let is_last = attempt == TRIES;
            let answer = match request(self).send().await {
                Ok(answer) => answer,
                Err(error) if is_last => return Err(error).context("the hub does not answer"),
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    continue;
                }
            };
            let status = answer.status();
            let wait = answer.headers().get("retry-after");
            let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
            let wait = wait.map_or(pause, Duration::from_secs);
            let body: Value = match answer.json().await {
                Ok(body) => body,
                Err(error) if is_last => return Err(error).context("the answer is cut short"),
                Err(_) => continue,
            };
            match status {
                status if status.is_success() => return Ok(body),
                StatusCode::UNAUTHORIZED if attempt == 1 => self.token = None,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if !is_last => {
                    tokio::time::sleep(wait.max(pause)).await;
                    pause *= 2;
                }
                _ => bail!("{}", said(&body)),
            }
        }
        bail!("the hub does not answer")
    }

    async fn sign_in(&self) -> anyhow::Result<String> {
        let Account {
            url,
            client_id,
            client_secret,
        } = &self.account;
        let request = self.http.post(format!("{url}/oauth/token"));
        let request = request
            .basic_auth(client_id, Some(client_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials&scope=imports:write");
        let answer = request.send().await;
        let answer = answer.with_context(|| format!("no hub answers at {url}"))?;
        let body: Value = answer.json().await?;
        match body["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => bail!("{}", said(&body)),
        }
    }
}

/// A problem as a sentence.
fn said(problem: &Value) -> String {
    let text = |name: &str| problem[name].as_str().unwrap_or_default();
    let (title, detail, code) = (text("title"), text("detail"), text("code"));
    format!("{title}: {detail} ({code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<Vec<u8>> {
        let mut reader = BufReader::with_capacity(7, text);
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        while read_line(&mut reader, &mut line).unwrap() {
            lines.push(line.clone());
        }
        lines
    }

    #[test]
    fn lines_are_read_as_the_hub_reads_them() {
        assert_eq!(read(b""), [b""; 0]);
        assert_eq!(
            read(b"a\n\nlonger than it\r\nend"),
            [&b"a\n"[..], b"\n", b"longer than it\r\n", b"end"]
        );
        let long = [b"x".repeat(5 * LONGEST_LINE), b"\ny".to_vec()].concat();
        let lines = read(&long);
        assert!(lines[0].len() > LONGEST_LINE + 1 && lines[0].len() <= 2 * LONGEST_LINE + 1);
        assert_eq!((lines[0].last(), &*lines[1]), (Some(&b'\n'), &b"y"[..]));
    }

    #[test]
    fn the_ending_says_the_format() {
        assert_eq!(of_ending(Path::new("a.csv")).unwrap(), Format::Csv);
        assert_eq!(of_ending(Path::new("a.b.ndjson")).unwrap(), Format::Ndjson);
        let refused = of_ending(Path::new("a.xlsx")).unwrap_err().to_string();
        assert!(refused.contains("--format csv"), "{refused}");
    }
}
