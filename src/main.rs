//! The command line.

use std::io::BufWriter;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use interline::cli::upload;
use interline::config::{AnchorArgs, DatabaseArgs, Use};
use interline::imports::Kind;
use interline::ledger::seals::anchors;
use interline::rates::imports::Way;
use interline::server::{self, Hub};
use interline::verify::trail;
use interline::web::origin::Proxies;
use interline::webhooks::reach::Reach;
use interline::{bench, cli, db, demo, torture, verify};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An exchange hub for loyalty coalitions.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the hub at work: a sample coalition, from nothing
    Demo(demo::Arguments),
    /// Run the hub
    Serve {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        anchors: AnchorArgs,
        /// Where to listen
        #[arg(long, default_value_t = 8080, env = "INTERLINE_PORT")]
        port: u16,
        /// The address to listen on
        #[arg(long, default_value = "127.0.0.1", env = "INTERLINE_HOST")]
        host: String,
        /// How the hub is reached from outside, when that is not http://HOST:PORT
        #[arg(long, value_name = "URL", env = "INTERLINE_BASE_URL")]
        base_url: Option<String>,
        /// Send webhooks also to this range of addresses, and without TLS if it says http; several
        /// with commas between
        #[arg(
            long,
            value_name = "CIDR",
            env = "INTERLINE_WEBHOOK_ALLOW",
            value_delimiter = ','
        )]
        webhook_allow: Vec<ipnet::IpNet>,
        /// Believe proxies in this range of addresses what they say in X-Forwarded-For of who connected to
        /// them; several with commas between
        #[arg(
            long,
            value_name = "CIDR",
            env = "INTERLINE_TRUSTED_PROXIES",
            value_delimiter = ','
        )]
        trusted_proxy: Vec<ipnet::IpNet>,
    },
    /// Bring the schema of the database up to date
    Migrate {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Print the OpenAPI document
    Openapi {
        /// Instead of printing it, find what would break programs that were written for this document
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Prove the books from single journal rows
    Verify {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        anchors: AnchorArgs,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The audit trail in its sealed chain
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Measure the hub beside PostgreSQL's own benchmark
    Bench(bench::Arguments),
    /// Break everything under load, and prove that nothing was lost or doubled
    Torture(torture::Arguments),
    /// Published rate rules
    #[command(subcommand)]
    Rates(RatesCommand),
    /// Members of yours, at a hub
    #[command(subcommand)]
    Members(FileCommand),
    /// Memberships of yours, at a hub: links and claims
    #[command(subcommand)]
    Memberships(FileCommand),
    /// Awards of yours, at a hub
    #[command(subcommand)]
    Awards(FileCommand),
    /// Settlement windows
    #[command(subcommand)]
    Windows(WindowsCommand),
    /// People who sign in
    #[command(subcommand)]
    People(PeopleCommand),
    /// Show the code of the moment, as an authenticator app does; asks no hub
    Totp {
        /// In base32, as the app was given it
        secret: String,
    },
}

#[derive(Subcommand)]
enum RatesCommand {
    /// Evaluate a file of published rules through the code that quotes
    Check { file: PathBuf },
    /// Make cards of a file of published rules; start it again to go on where it was
    Import {
        #[command(flatten)]
        database: DatabaseArgs,
        file: PathBuf,
        /// What its text columns say, transcribed: rows with other texts are left out
        #[arg(long, value_name = "FILE")]
        transcribed: Option<PathBuf>,
        /// Admit programmes that have no currency here
        #[arg(long)]
        admit: bool,
        /// Both brands agreed on paper: publish the cards instead of proposing them
        #[arg(long)]
        agreed: bool,
    },
}

#[derive(Subcommand)]
enum FileCommand {
    /// Send a file of them; start it again with the same file to go on where it was
    Import(upload::Arguments),
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Write the sealed audit trail to standard output, a JSON line for each seal, group and change
    Export {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Prove such a file, without the hub
    Verify {
        file: PathBuf,
        /// Anchors that were kept: each of their seals has to be there, with its hash
        #[arg(long, value_name = "FILE")]
        anchors: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum WindowsCommand {
    /// Close the open window and open the next
    Close {
        #[command(flatten)]
        database: DatabaseArgs,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum PeopleCommand {
    /// Let somebody sign in: how the first operator comes in. Reads the password from standard input
    Add {
        #[command(flatten)]
        database: DatabaseArgs,
        #[arg(long)]
        login: String,
        #[arg(long)]
        name: String,
        /// finance, operator, support or auditor
        #[arg(long)]
        role: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::log_to_stderr();
    // What the largest of the commands waits for does not lie on the stack.
    match Box::pin(run(Arguments::parse().command)).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("interline: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Serve {
            database,
            anchors,
            port,
            host,
            base_url,
            webhook_allow,
            trusted_proxy,
        } => {
            let anchors = anchors.file(&database, "hub")?;
            let database = database.open("hub", Use::Alone).await?;
            let listener = listen(&host, port)?;
            let base_url = base_url.unwrap_or(format!("http://{}", listener.local_addr()?));
            let hub = Hub::new(&database.url, &base_url).await?;
            let hub = hub.reaching(Reach::allowing(webhook_allow));
            let hub = hub.behind(Proxies::within(trusted_proxy));
            hub.work_all_along(anchors)?;
            let what = match hub.environment.is_sandbox() {
                true => "Interline's sandbox",
                false => "Interline",
            };
            eprintln!("{what} serves at {base_url}; its documentation is at {base_url}/docs/");
            hub.serve(listener)?.await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate { database } => {
            database.open("hub", Use::Beside).await?;
            cli::say("The schema is up to date.");
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi {
            against: Some(file),
        } => cli::compare_openapi(&file),
        Command::Openapi { against: None } => {
            cli::say(server::document_text().trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify {
            database,
            anchors,
            json,
        } => {
            database.must_exist("hub")?;
            let file = anchors.kept(&database, "hub")?;
            let database = database.open("hub", Use::Beside).await?;
            let anchors = file.map_or(Ok(Vec::new()), |file| anchors::read(&file))?;
            let report = verify::verify_with(&database.url, anchors).await?;
            match json {
                true => cli::say(serde_json::to_string_pretty(&report)?),
                false => cli::say(&report),
            }
            Ok(ExitCode::from(u8::from(report.difference.is_some())))
        }
        Command::Audit(AuditCommand::Export { database }) => {
            database.must_exist("hub")?;
            let database = database.open("hub", Use::Beside).await?;
            let mut out = BufWriter::new(std::io::stdout().lock());
            let changes = trail::export(&database.url, &mut out).await?;
            eprintln!("{changes} changes, with their seals");
            Ok(ExitCode::SUCCESS)
        }
        Command::Audit(AuditCommand::Verify { file, anchors }) => {
            let anchors = anchors.map_or(Ok(Vec::new()), |file| anchors::read(&file))?;
            cli::check_trail(&file, anchors)
        }
        Command::Bench(arguments) => bench::run(arguments).await,
        Command::Torture(arguments) => torture::run(arguments).await,
        Command::Rates(RatesCommand::Check { file }) => cli::check_rates(&file),
        Command::Rates(RatesCommand::Import {
            database,
            file,
            transcribed,
            admit,
            agreed,
        }) => {
            let database = database.open("hub", Use::Beside).await?;
            let pool = db::Pool::new(&database.url, 1)?;
            let way = Way { admit, agreed };
            cli::import_rates(&pool, &file, transcribed.as_deref(), way).await
        }
        Command::Members(FileCommand::Import(file)) => upload::run(Kind::Members, file).await,
        Command::Memberships(FileCommand::Import(file)) => {
            upload::run(Kind::Memberships, file).await
        }
        Command::Awards(FileCommand::Import(file)) => upload::run(Kind::Awards, file).await,
        Command::Windows(WindowsCommand::Close { database, json }) => {
            database.must_exist("hub")?;
            let database = database.open("hub", Use::Beside).await?;
            cli::close_window(&db::Pool::new(&database.url, 1)?, json).await
        }
        Command::Totp { secret } => cli::show_code(&secret),
        Command::People(PeopleCommand::Add {
            database,
            login,
            name,
            role,
        }) => {
            let database = database.open("hub", Use::Beside).await?;
            cli::add_person(&db::Pool::new(&database.url, 1)?, &login, &name, &role).await
        }
    }
}

fn listen(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port))
        .with_context(|| format!("cannot listen on {host}:{port}: choose another with --port"))
}
