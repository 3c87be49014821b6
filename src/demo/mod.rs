//! The demo: from nothing to a running hub with a sample coalition.
//!
//! It starts a database of its own, fills it if it is empty, serves, and says where to look, who
//! can log in with what, and what to try. Beside the hub it serves a sandbox with the same brands and other
//! secrets, for whoever wants to try a program out at once. Everything is made by the use cases that partners and
//! people use; nothing is written past them. What it needs to say the same again is kept beside
//! the data, for its owner only.

pub mod coalition;
pub mod credentials;
pub mod seed;
pub mod walk;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use tokio::task::JoinHandle;

use crate::cli;
use crate::config::{AnchorArgs, Database, DatabaseArgs, Use};
use crate::server::Hub;
use crate::webhooks::reach::Reach;
use credentials::Credentials;

const HOST: &str = "127.0.0.1";

/// A sample and its files beside the data.
struct Sample {
    members: usize,
    /// Says how to use it.
    kept: PathBuf,
    /// Stands there while the sample is being filled in: whoever finds it at a start knows that the last one
    /// did not finish, and begins again.
    unfinished: PathBuf,
}

impl Sample {
    fn of_the_hub(dir: &Path) -> Sample {
        Sample {
            members: 2_000,
            kept: dir.join("demo-credentials.json"),
            unfinished: dir.join("demo-unfinished"),
        }
    }

    fn of_the_sandbox(dir: &Path) -> Sample {
        Sample {
            members: 20,
            kept: dir.join("sandbox-credentials.json"),
            unfinished: dir.join("sandbox-unfinished"),
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    anchors: AnchorArgs,
    /// Where to listen; 0 for any free port
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Walk one member's points through three brands, show each call, and exit
    #[arg(long)]
    walk: bool,
    /// With --walk: print one JSON document
    #[arg(long, requires = "walk")]
    json: bool,
    /// Write credentials and ids as JSON, for scripts
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments {
        database,
        anchors,
        port,
        walk,
        json,
        credentials: file,
    } = arguments;
    let listener = TcpListener::bind((HOST, port))
        .with_context(|| format!("cannot listen on {HOST}:{port}: choose another with --port"))?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let dir = database.dir("demo")?;
    let anchors = anchors.file(&database, "demo")?;
    let has_sandbox_beside = !database.sandbox && !walk;

    eprintln!("Starting PostgreSQL and bringing the schema up to date ...");
    let database = database.open("demo", Use::Alone).await?;
    // With a database of somebody else's the directory holds the credentials only.
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let sample = Sample::of_the_hub(&dir);
    if sample.unfinished.exists() {
        database.start_over().await?;
    }
    let hub = Hub::new(&database.url, &base_url).await?;
    let credentials = fill_or_recall(&hub, &base_url, &sample).await?;
    if let Some(file) = &file {
        credentials.write(file)?;
    }

    // Who tries webhooks here has a receiver on this machine.
    let hub = hub.reaching(Reach::this_machine());
    let at_work = hub.work_all_along(anchors)?;
    let server = hub.serve(listener)?;
    if !walk {
        let sandbox = match has_sandbox_beside {
            true => serve_sandbox(&database, &dir, port).await?,
            false => None,
        };
        let sandbox = sandbox.map_or_else(String::new, |it| said_of(&it, &dir));
        cli::say(welcome(&credentials, &dir, &sandbox));
        server.await?;
        return Ok(ExitCode::SUCCESS);
    }

    let handle = server.handle();
    let serving = tokio::spawn(server);
    let walked = walk::walk(&credentials, !json).await;
    handle.stop(true).await;
    serving.await??;
    // The database stops next, and nobody is to miss it.
    at_work.iter().for_each(JoinHandle::abort);
    match walked? {
        document if json => cli::say(serde_json::to_string_pretty(&document)?),
        _ => cli::say(
            "\nThe walk is done: 12,187 HPT, 2,281 STAR and 14,285 MILE, and every book sums to zero.",
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves a sandbox on the next port, or on any when that is taken.
async fn serve_sandbox(
    database: &Database,
    dir: &Path,
    port: u16,
) -> anyhow::Result<Option<Credentials>> {
    let sample = Sample::of_the_sandbox(dir);
    let Some(url) = database.sandbox_beside(sample.unfinished.exists()).await? else {
        return Ok(None);
    };
    let next = if port == 0 { 0 } else { port.wrapping_add(1) };
    let listener = TcpListener::bind((HOST, next)).or_else(|_| TcpListener::bind((HOST, 0)))?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let hub = Hub::new(&url, &base_url).await?;
    let credentials = fill_or_recall(&hub, &base_url, &sample).await?;
    let hub = hub.reaching(Reach::this_machine());
    hub.work_all_along(None)?;
    tokio::spawn(hub.serve(listener)?);
    Ok(Some(credentials))
}

async fn fill_or_recall(hub: &Hub, base_url: &str, sample: &Sample) -> anyhow::Result<Credentials> {
    let Sample {
        members,
        kept,
        unfinished,
    } = sample;
    if seed::is_empty(hub).await? {
        eprintln!("Filling it with ten brands and {members} members ...");
        std::fs::write(unfinished, "")?;
        let credentials = seed::fill(hub, base_url, *members).await?;
        credentials.write(kept)?;
        std::fs::remove_file(unfinished)?;
        return Ok(credentials);
    }
    if !kept.exists() {
        bail!(
            "the database is not empty and {} is missing: it was not filled by a demo that finished. Choose another \
             --data-dir, or use `interline serve`",
            kept.display()
        );
    }
    let known = Credentials::read(kept)?;
    Ok(Credentials {
        base_url: base_url.to_owned(),
        ..known
    })
}

/// Where the sandbox is, for the newcomer.
fn said_of(sandbox: &Credentials, dir: &Path) -> String {
    let base_url = &sandbox.base_url;
    let aero = sandbox.partners.first();
    let aero = aero.map(|it| format!("{} {}", it.client_id, it.client_secret));
    format!(
        "  Sandbox         {base_url}/docs/ to try a program out, with a clock that can be turned\n  {:16}Aero there: \
         {}; everybody: {}\n",
        "",
        aero.unwrap_or_default(),
        Sample::of_the_sandbox(dir).kept.display()
    )
}

/// What a newcomer reads.
fn welcome(credentials: &Credentials, dir: &Path, sandbox: &str) -> String {
    let Credentials {
        base_url,
        partners,
        people,
        members,
    } = credentials;
    let partners: String = partners
        .iter()
        .map(|it| {
            format!(
                "  {:<10} {:<8} {}  {}\n",
                it.code, it.currency, it.client_id, it.client_secret
            )
        })
        .collect();
    let people: String = people
        .iter()
        .map(|it| {
            format!(
                "  {:<10} {:<8} {}  {}\n",
                it.role, it.login, it.password, it.totp_secret
            )
        })
        .collect();
    let cards: String = coalition::routes()
        .iter()
        .map(|it| format!("  {:<8} {:<8} {}\n", it.from, it.to, it.row))
        .collect();
    let aero = credentials
        .partners
        .first()
        .map(|it| format!("{}:{}", it.client_id, it.client_secret));
    let member = members.first().map(|it| it.id.as_str()).unwrap_or_default();
    format!(
        "\nInterline is running: ten brands, their rate cards, 2,000 members with wallets.\n\
         \n  Documentation   {base_url}/docs/\n  OpenAPI         {base_url}/openapi.json\n  Problems        \
         {base_url}/problems\n  Data            {dir}\n  Proof           {program} verify \
         --data-dir {dir}\n{sandbox}\
         \nBrands: code, currency, client id, client secret (for /oauth/token)\n{partners}\
         \nPeople: role, login, password, and the secret of an authenticator app (for /v1/sessions; \
         `{program} totp SECRET` shows the code of the moment)\n{people}\
         \nRate cards: from, to, the published rule each is taken from (tests/published_rates.csv)\n{cards}\
         \nThree things to try, in another terminal\n\
         \n  1. Get a token for Aero\n     TOKEN=$(curl -s {base_url}/oauth/token -u {aero} \\\n       \
         -d grant_type=client_credentials | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
         \n  2. See what 10,000 miles of a member are worth as hotel points\n     \
         curl -s {base_url}/v1/quotes -H \"Authorization: Bearer $TOKEN\" \\\n       \
         -H 'Content-Type: application/json' \\\n       \
         -d '{{\"member\":\"{member}\",\"gives\":{{\"amount\":\"10000\",\"currency\":\"MILE\"}},\"to\":\"HPT\"}}'\n\
         \n  3. See a whole month's path, call by call\n     {program} demo --walk --data-dir \
         /tmp/interline-walk --port 0\n\
         \nStop with Ctrl-C. The data stays; the next start takes a second.\n",
        dir = dir.display(),
        program = std::env::args()
            .next()
            .unwrap_or_else(|| "interline".to_owned()),
        aero = aero.unwrap_or_default(),
    )
}
