//! What the command line does by itself.

pub mod upload;

use std::fmt::Display;
use std::io::{BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use tracing_subscriber::EnvFilter;

use crate::access::second_factor::totp::Secret;
use crate::access::{Role, Who, people};
use crate::clock;
use crate::db::{self, Pool};
use crate::docs::compatibility;
use crate::id::Ids;
use crate::ledger::seals::anchors::Anchor;
use crate::partners::Directories;
use crate::rates::imports::transcript::Transcript;
use crate::rates::imports::{self, Desk, Way};
use crate::rates::published;
use crate::secret::Secrets;
use crate::verify::trail;
use crate::web::text::Name;
use crate::{ledger, server, settlement};

/// What writes down each statement with its parameters, when asked for much: numbers of members, claims.
const TALKATIVE: &str = "tokio_postgres=info";

/// Logs go to standard error, as JSON where nobody watches. `RUST_LOG` says how much.
pub fn log_to_stderr() {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    if let Ok(quieter) = TALKATIVE.parse() {
        filter = filter.add_directive(quieter);
    }
    let logs = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    match std::io::stderr().is_terminal() {
        true => logs.init(),
        false => logs.json().init(),
    }
}

/// Prints a line to standard output. Whoever reads may stop reading: that ends the program quietly.
pub fn say(line: impl Display) {
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Evaluates a file of published rules. Exit status 1 when any case fails.
pub fn check_rates(file: &Path) -> anyhow::Result<ExitCode> {
    let opened =
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let tally = published::check(BufReader::new(opened), &mut std::io::stdout().lock())?;
    Ok(ExitCode::from(u8::from(tally.failed > 0)))
}

/// Proves an exported audit trail. Exit status 1 when it is not what was sealed.
pub fn check_trail(file: &Path, anchors: Vec<Anchor>) -> anyhow::Result<ExitCode> {
    let opened =
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let report = trail::check(BufReader::new(opened), anchors)?;
    let (seals, groups, changes) = (report.seals, report.groups, report.changes);
    say(format!(
        "{seals} seals chain {groups} groups and {changes} changes"
    ));
    if report.anchors > 0 {
        say(format!(
            "{} anchors name seals that are there",
            report.anchors
        ));
    }
    match &report.difference {
        Some(difference) => say(format!("WRONG: {difference}")),
        None => say("Nothing in it was changed, added or taken away."),
    }
    Ok(ExitCode::from(u8::from(report.difference.is_some())))
}

/// Finds what programs written for a released OpenAPI document would stumble over. Exit status 1 when there is
/// something.
pub fn compare_openapi(file: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let released = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no OpenAPI document", file.display()))?;
    let breaks = compatibility::breaks(&released, &serde_json::to_value(server::published()?)?);
    for one in &breaks {
        say(one);
    }
    Ok(ExitCode::from(u8::from(!breaks.is_empty())))
}

/// Makes cards of a file of published rules. Exit status 1 when rows were left out.
pub async fn import_rates(
    pool: &Pool,
    file: &Path,
    transcribed: Option<&Path>,
    way: Way,
) -> anyhow::Result<ExitCode> {
    let read = |file: &Path| {
        std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
    };
    let rules = read(file)?;
    let transcript = match transcribed {
        None => Transcript::default(),
        Some(path) => serde_json::from_slice(&read(path)?)
            .with_context(|| format!("{} is no transcript", path.display()))?,
    };
    let mut conn = pool.get().await?;
    let secrets = Secrets::load(&mut conn).await?;
    let ids = Ids::new(&secrets.ids);
    let desk = Desk {
        ids: &ids,
        secrets: &secrets,
        directories: Directories::default(),
    };

    let bar = ProgressBar::new(0);
    let tell = |line: String| bar.suspend(|| say(line));
    let step = |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let tally = imports::import(&mut conn, &desk, &rules, &transcript, way, tell, step).await?;
    bar.finish_and_clear();
    say(tally);
    Ok(ExitCode::from(u8::from(tally.left_out > 0)))
}

/// Closes the open window.
pub async fn close_window(pool: &Pool, json: bool) -> anyhow::Result<ExitCode> {
    let mut conn = pool.get().await?;
    let ids = Ids::new(&Secrets::load(&mut conn).await?.ids);
    let who = Who::at_the_console(0, Role::Finance);
    let closing = db::transaction(&mut conn, async |conn| {
        ledger::close_window(conn, &who, None).await
    })
    .await?;
    let calendar = settlement::calendar::find(&mut conn).await?;
    let body = settlement::api::show_closing(&ids, &closing, calendar.as_ref());
    match json {
        true => say(serde_json::to_string_pretty(&body)?),
        false => say(format!(
            "Closed {}; {} is open now.",
            body.closed.id, body.opened.id
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the code of a second factor's secret.
pub fn show_code(secret: &str) -> anyhow::Result<ExitCode> {
    let secret = Secret::parse(secret).context("a secret is 32 letters and digits of base32")?;
    say(secret.code(clock::machine_now().timestamp()));
    Ok(ExitCode::SUCCESS)
}

/// Lets somebody sign in. The password comes from standard input, so that it is in no history.
pub async fn add_person(
    pool: &Pool,
    login: &str,
    name: &str,
    role: &str,
) -> anyhow::Result<ExitCode> {
    let Some(role) = Role::named(role) else {
        bail!("a role is finance, operator, support or auditor")
    };
    let name = Name::try_from(name.to_owned()).map_err(anyhow::Error::msg)?;
    let mut password = String::new();
    std::io::stdin()
        .read_to_string(&mut password)
        .context("the password is read from standard input")?;
    let mut conn = pool.get().await?;
    people::create(
        &mut conn,
        login,
        &name,
        role,
        password.trim_end_matches(['\r', '\n']),
    )
    .await?;
    say(format!(
        "{login} can sign in as {}, and enrols a second factor with POST /v1/me/second-factor then.",
        role.name()
    ));
    Ok(ExitCode::SUCCESS)
}
