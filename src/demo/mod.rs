//! The demo: from nothing to a running hub with a sample coalition.
//!
//! It starts a database of its own, fills it if it is empty, serves, and says where to look, who
//! can log in with what, and what to try. Everything is made by the use cases that partners and
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

use crate::cli;
use crate::config::{AnchorArgs, DatabaseArgs, Use};
use crate::server::Hub;
use crate::webhooks::reach::Reach;
use credentials::Credentials;

/// How many members the sample has.
const MEMBERS: usize = 2_000;

/// The file beside the data that says how to use the sample.
const KEPT: &str = "demo-credentials.json";

/// The file that stands beside the data while the sample is being filled in: whoever finds it at a
/// start knows that the last one did not finish, and begins again.
const UNFINISHED: &str = "demo-unfinished";

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
    let host = "127.0.0.1";
    let listener = TcpListener::bind((host, port))
        .with_context(|| format!("cannot listen on {host}:{port}: choose another with --port"))?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let dir = database.dir("demo")?;
    let anchors = anchors.file(&database, "demo")?;

    eprintln!("Starting PostgreSQL and bringing the schema up to date ...");
    let database = database.open("demo", Use::Alone).await?;
    // With a database of somebody else's the directory holds the credentials only.
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    if dir.join(UNFINISHED).exists() {
        database.start_over().await?;
    }
    let hub = Hub::new(&database.url, &base_url).await?;
    let credentials = fill_or_recall(&hub, &base_url, &dir).await?;
    if let Some(file) = &file {
        credentials.write(file)?;
    }

    // Who tries webhooks here has a receiver on this machine.
    let hub = hub.reaching(Reach::this_machine());
    hub.sweep_now_and_then();
    hub.seal_all_along(anchors);
    hub.deliver_all_along()?;
    let server = hub.serve(listener)?;
    if !walk {
        cli::say(welcome(&credentials, &dir));
        server.await?;
        return Ok(ExitCode::SUCCESS);
    }

    let handle = server.handle();
    let serving = tokio::spawn(server);
    let walked = walk::walk(&credentials, !json).await;
    handle.stop(true).await;
    serving.await??;
    match walked? {
        document if json => cli::say(serde_json::to_string_pretty(&document)?),
        _ => cli::say(
            "\nThe walk is done: 12,187 HPT, 2,281 STAR and 14,285 MILE, and every book sums to zero.",
        ),
    }
    Ok(ExitCode::SUCCESS)
}

async fn fill_or_recall(hub: &Hub, base_url: &str, dir: &Path) -> anyhow::Result<Credentials> {
    let (kept, unfinished) = (dir.join(KEPT), dir.join(UNFINISHED));
    if seed::is_empty(hub).await? {
        eprintln!("Filling it with ten brands and {MEMBERS} members ...");
        std::fs::write(&unfinished, "")?;
        let credentials = seed::fill(hub, base_url, MEMBERS).await?;
        credentials.write(&kept)?;
        std::fs::remove_file(&unfinished)?;
        return Ok(credentials);
    }
    if !kept.exists() {
        bail!(
            "the database is not empty and {} is missing: it was not filled by a demo that finished. Choose another \
             --data-dir, or use `interline serve`",
            kept.display()
        );
    }
    let known = Credentials::read(&kept)?;
    Ok(Credentials {
        base_url: base_url.to_owned(),
        ..known
    })
}

/// What a newcomer reads.
fn welcome(credentials: &Credentials, dir: &Path) -> String {
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
        .map(|it| format!("  {:<10} {:<8} {}\n", it.role, it.login, it.password))
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
         --data-dir {dir}\n\
         \nBrands: code, currency, client id, client secret (for /oauth/token)\n{partners}\
         \nPeople: role, login, password (for /v1/sessions)\n{people}\
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
