//! The hub as a server: every slice's routes, what they share, and the end of it all when asked.

use std::future;
use std::net::TcpListener;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use serde::Serialize;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use utoipa::openapi::security::{
    ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityScheme,
};
use utoipa::{Modify, OpenApi, ToSchema};

use crate::access::Access;
use crate::access::caller::confirm;
use crate::access::permission::{self, Permission};
use crate::access::scope::{OF_MEMBERS, SCOPES};
use crate::conversions::buy_outs::Buyer;
use crate::conversions::quote::Quotes;
use crate::db::{self, Latest, Pool};
use crate::docs::api::{Announced, announce};
use crate::docs::deprecation::DEPRECATED;
use crate::docs::example::Missing;
use crate::environment::{self, Environment};
use crate::error::{Error, Problem, Slug};
use crate::id::Ids;
use crate::imports::undo::Hands;
use crate::ledger::Ledger;
use crate::ledger::seals::Sealer;
use crate::ledger::shelf::Shelf;
use crate::members::{Attested, Wallets};
use crate::partners::Directories;
use crate::rates::Books;
use crate::secret::Secrets;
use crate::settlement::calendar;
use crate::web::origin::Proxies;
use crate::web::problem::{self, CatalogueBody, KnownProblemBody, ProblemBody};
use crate::web::{Crowd, Lines, crowd, lines};
use crate::webhooks::Webhooks;
use crate::webhooks::reach::Reach;
use crate::webhooks::rounds::Postman;
use crate::{
    access, approvals, conversions, docs, events, imports, ledger, mandates, matches, members,
    partners, rates, sandbox, settlement, staff, webhooks,
};

/// Everything a handler may ask for, made once per hub.
#[derive(Clone)]
pub struct Hub {
    pub pool: Data<Pool>,
    pub ids: Data<Ids>,
    pub secrets: Data<Secrets>,
    pub access: Data<Access>,
    pub directories: Data<Directories>,
    pub books: Data<Books>,
    pub ledger: Data<Ledger>,
    pub quotes: Data<Quotes>,
    pub wallets: Data<Wallets>,
    pub attested: Data<Attested>,
    pub crowd: Data<Crowd>,
    pub lines: Arc<Lines>,
    pub announced: Data<Announced>,
    pub environment: Data<Environment>,
    pub webhooks: Data<Webhooks>,
    pub proxies: Data<Proxies>,
}

/// Connections for everything but the writers of the ledger.
const CONNECTIONS: usize = 16;

/// How many clients may be connected.
const OPEN: usize = 1024;

/// How often expired holds and lots are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// How far behind requests webhooks stand when both want the processor: a step of niceness is about a quarter less
/// of it.
const POLITE: i32 = 10;

/// How often the calendar is looked at, and what an import is still to go through.
const PUNCTUAL: Duration = Duration::from_secs(5);

impl Hub {
    /// A hub on a database whose schema is up to date. `address` is where it is reached.
    pub async fn new(url: &str, address: &str) -> anyhow::Result<Hub> {
        let pool = Pool::new(url, CONNECTIONS)?;
        let mut conn = pool.get().await?;
        let secrets = Secrets::load(&mut conn).await?;
        let environment = environment::settle(&mut conn, Environment::Live).await?;
        drop(conn);
        let latest = Arc::new(Latest::default());
        Ok(Hub {
            ids: Data::new(Ids::new(&secrets.ids)),
            access: Data::new(Access::new(
                address,
                &secrets,
                pool.clone(),
                latest.clone(),
            )?),
            directories: Data::new(Directories::default()),
            books: Data::new(Books::default()),
            ledger: Data::new(Ledger::start(pool.clone(), latest)),
            quotes: Data::new(Quotes::new(&secrets.quotes)),
            wallets: Data::new(Wallets::start(url)),
            attested: Data::new(Attested::start(url)),
            crowd: Data::default(),
            lines: Arc::default(),
            announced: Data::default(),
            environment: Data::new(environment),
            webhooks: Data::new(Webhooks::new(&secrets, Reach::default())),
            proxies: Data::default(),
            secrets: Data::new(secrets),
            pool: Data::new(pool),
        })
    }

    /// The hub, sending webhooks also to addresses that are not on the public internet.
    pub fn reaching(self, reach: Reach) -> Hub {
        let webhooks = Data::new(Webhooks::new(&self.secrets, reach));
        Hub { webhooks, ..self }
    }

    /// The hub, behind proxies whose word for who connected to them it takes.
    pub fn behind(self, proxies: Proxies) -> Hub {
        let proxies = Data::new(proxies);
        Hub { proxies, ..self }
    }

    fn routes(&self, config: &mut ServiceConfig) {
        config
            .app_data(self.pool.clone())
            .app_data(self.ids.clone())
            .app_data(self.secrets.clone())
            .app_data(self.access.clone())
            .app_data(self.directories.clone())
            .app_data(self.books.clone())
            .app_data(self.ledger.clone())
            .app_data(self.quotes.clone())
            .app_data(self.wallets.clone())
            .app_data(self.attested.clone())
            .app_data(self.crowd.clone())
            .app_data(self.announced.clone())
            .app_data(self.environment.clone())
            .app_data(self.webhooks.clone())
            .app_data(self.proxies.clone())
            .configure(conversions::options::api::routes)
            .configure(mandates::api::routes)
            .configure(conversions::buy_outs::api::routes)
            .configure(conversions::api::routes)
            .configure(conversions::transfers::api::routes)
            .configure(access::api::routes)
            .configure(approvals::api::routes)
            .configure(staff::api::routes)
            .configure(partners::api::routes)
            .configure(members::api::routes)
            .configure(ledger::api::routes)
            .configure(rates::api::routes)
            .configure(settlement::api::routes)
            .configure(imports::api::routes)
            .configure(matches::api::routes)
            .configure(events::api::routes)
            .configure(events::trail::api::routes)
            .configure(sandbox::api::routes)
            .configure(webhooks::api::routes)
            .configure(docs::api::routes)
            .configure(operations);
    }

    /// Serves on a listener until SIGINT or SIGTERM; requests under way get half a minute to end.
    pub fn serve(&self, listener: TcpListener) -> anyhow::Result<Server> {
        let hub = self.clone();
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let known = self.lines.clone();
        tokio::spawn(self.lines.clone().watch());
        let server = HttpServer::new(move || {
            let hub = hub.clone();
            let is_sandbox = hub.environment.is_sandbox();
            App::new()
                .wrap(Condition::new(is_sandbox, from_fn(sandbox::outcomes::play)))
                .wrap(from_fn(confirm))
                .wrap(from_fn(announce))
                .wrap(from_fn(crowd::admit))
                .wrap(from_fn(problem::explain))
                .wrap(from_fn(lines::take_turns))
                .configure(move |config| hub.routes(config))
        })
        .workers(workers)
        // The framework counts for each worker.
        .max_connections(OPEN.div_ceil(workers))
        .on_connect(move |io, extensions| known.welcome(io, extensions))
        .client_request_timeout(self.lines.head)
        .keep_alive(self.lines.silence)
        .shutdown_timeout(30)
        .listen(listener)?;
        Ok(server.run())
    }

    /// Everything that a hub does by itself, as long as it lives: what sweeps, buys out, undoes, closes, seals and
    /// delivers. Whoever takes the database away aborts what is returned.
    pub fn work_all_along(&self, anchors: Option<PathBuf>) -> anyhow::Result<[JoinHandle<()>; 2]> {
        self.sweep_now_and_then();
        self.buy_out_now_and_then();
        self.undo_all_along();
        self.close_on_time();
        Ok([self.seal_all_along(anchors), self.deliver_all_along()?])
    }

    /// Writes down what has expired, now and then, as long as the hub lives.
    fn sweep_now_and_then(&self) {
        let hub = self.clone();
        tokio::spawn(async move {
            loop {
                match hub.ledger.sweep(&hub.secrets).await {
                    Ok(0) => {}
                    Ok(ended) => tracing::info!(ended, "expired holds and lots were swept"),
                    Err(error) => {
                        tracing::warn!(%error, "the sweep of what has expired will be tried again")
                    }
                }
                tokio::time::sleep(SWEEP).await;
            }
        });
    }

    /// Converts what is left of brands that ended and are bought out, as long as the hub lives.
    fn buy_out_now_and_then(&self) {
        let hub = self.clone();
        tokio::spawn(async move {
            loop {
                match hub.buyer().sweep().await {
                    Ok(0) => {}
                    Ok(converted) => tracing::info!(converted, "what was left was bought out"),
                    Err(error) => tracing::warn!(%error, "buy-outs will be gone on with"),
                }
                tokio::time::sleep(SWEEP).await;
            }
        });
    }

    /// What carries buy-outs out.
    pub fn buyer(&self) -> Buyer<'_> {
        Buyer {
            shelf: Shelf {
                pool: self.pool.clone(),
                ids: self.ids.clone(),
                secrets: self.secrets.clone(),
                directories: self.directories.clone(),
                wallets: self.wallets.clone(),
                attested: self.attested.clone(),
            },
            books: &self.books,
            ledger: &self.ledger,
        }
    }

    /// Goes on with imports that are being frozen, thawed or undone, as long as the hub lives.
    fn undo_all_along(&self) {
        let hub = self.clone();
        tokio::spawn(async move {
            loop {
                if let Err(error) = hub.hands().sweep().await {
                    tracing::warn!(%error, "imports will be gone on with")
                }
                tokio::time::sleep(PUNCTUAL).await;
            }
        });
    }

    /// What goes through the awards of imports.
    pub fn hands(&self) -> Hands<'_> {
        Hands {
            pool: &self.pool,
            secrets: &self.secrets,
            directories: &self.directories,
            ledger: &self.ledger,
        }
    }

    /// Closes the open window when the calendar says so, as long as the hub lives.
    fn close_on_time(&self) {
        let pool = self.pool.clone();
        tokio::spawn(async move {
            loop {
                let closed = async { calendar::close_when_due(&mut *pool.get().await?).await };
                match closed.await {
                    Ok(None) => {}
                    Ok(Some(closing)) => {
                        tracing::info!(window = closing.closed.id, "the calendar closed a window")
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the close of a window will be tried again")
                    }
                }
                tokio::time::sleep(PUNCTUAL).await;
            }
        });
    }

    /// Seals what is finished, as long as the hub lives, and anchors it in a file if one is named.
    pub fn seal_all_along(&self, anchors: Option<PathBuf>) -> JoinHandle<()> {
        tokio::spawn(Sealer::new(self.pool.url(), anchors).work())
    }

    /// Delivers events to webhook endpoints, as long as the hub lives and the task that is returned, on a thread
    /// that gives way to those who answer requests.
    pub fn deliver_all_along(&self) -> anyhow::Result<JoinHandle<()>> {
        let postman = Postman::new(
            self.pool.url(),
            self.ids.clone().into_inner(),
            self.directories.clone().into_inner(),
            self.webhooks.clone().into_inner(),
        )?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (keep, kept) = oneshot::channel::<()>();
        let work = move || {
            // Elsewhere it would be the whole hub that gives way.
            if cfg!(target_os = "linux") {
                let _ = rustix::process::nice(POLITE);
            }
            runtime.block_on(async {
                tokio::select! {
                    () = postman.work() => {}
                    _ = kept => {}
                }
            });
        };
        thread::Builder::new().name("webhooks".into()).spawn(work)?;
        Ok(tokio::spawn(async move {
            let _keep = keep;
            future::pending().await
        }))
    }
}

/// What operators and readers of the documentation ask for.
fn operations(config: &mut ServiceConfig) {
    config
        .service(web::resource("/healthz").route(web::get().to(healthz)))
        .service(web::resource("/readyz").route(web::get().to(readyz)))
        .service(web::resource("/problems").route(web::get().to(problem::catalogue)))
        .service(web::resource("/problems/{slug}").route(web::get().to(problem::page)))
        .service(web::resource("/openapi.json").route(web::get().to(openapi)))
        .service(web::resource("/permissions").route(web::get().to(permissions)))
        .service(web::resource("/").route(web::get().to(to_docs)))
        .service(web::resource("/docs").route(web::get().to(to_docs)))
        .service(web::resource("/docs/{file:.*}").route(web::get().to(viewer)));
}

/// Whether the hub is there, or ready.
#[derive(Serialize, ToSchema)]
pub struct StatusBody {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Ask whether the process is there
#[utoipa::path(
    get, path = "/healthz", operation_id = "getHealth", tag = "operations", security(()),
    description = "Answers as long as the process does, also without a database.",
    responses((status = 200, description = "It is there.", body = StatusBody))
)]
async fn healthz() -> web::Json<StatusBody> {
    web::Json(StatusBody { status: "ok" })
}

/// Ask whether the hub can work
#[utoipa::path(
    get, path = "/readyz", operation_id = "getReadiness", tag = "operations", security(()),
    description = "Asks the database.",
    responses((status = 200, description = "The database answers.", body = StatusBody))
)]
async fn readyz(pool: Data<Pool>) -> Result<web::Json<StatusBody>, Error> {
    db::version(&mut *pool.get().await?).await?;
    Ok(web::Json(StatusBody { status: "ready" }))
}

/// Read this document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "operations", security(()),
    description = "OpenAPI 3.1, made by the program that answers.",
    responses((status = 200, description = "The document.", body = serde_json::Value))
)]
async fn openapi(environment: Data<Environment>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(text_of(document_of(**environment)))
}

/// Whom each operation admits.
#[derive(Serialize, ToSchema)]
pub struct PermissionsBody {
    items: Vec<Permission>,
}

/// Read who may do what
#[utoipa::path(
    get, path = "/permissions", operation_id = "listPermissions", tag = "operations", security(()),
    description = "A row for each operation of this document: whether anybody may ask, the scope a partner's token needs, whether a member's token with it will do too, the roles of the hub's people that are admitted. Being admitted is not all: a partner is told of its own side only, a member of what is its own, and what belongs to others looks the same as what does not exist.",
    responses((status = 200, description = "The table.", body = PermissionsBody))
)]
async fn permissions() -> Result<web::Json<PermissionsBody>, Error> {
    static TABLE: OnceLock<Vec<Permission>> = OnceLock::new();
    let table = || {
        let document = serde_json::to_value(document())?;
        Ok::<_, serde_json::Error>(permission::table(&document))
    };
    if TABLE.get().is_none() {
        let _ = TABLE.set(table().map_err(anyhow::Error::from)?);
    }
    let items = TABLE.get().cloned().unwrap_or_default();
    Ok(web::Json(PermissionsBody { items }))
}

/// Go to the viewer
#[utoipa::path(
    get, path = "/docs", operation_id = "readDocs", tag = "operations", security(()),
    description = "Leads to `/docs/`, where this document can be read and tried.",
    responses((status = 308, description = "It is at `/docs/`."))
)]
async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}

/// Read the viewer
///
/// Swagger UI, from the program itself: nothing is fetched from elsewhere.
#[utoipa::path(
    get, path = "/docs/{file}", operation_id = "readDocsFile", tag = "operations", security(()),
    params(("file" = String, Path, description = "A file of the viewer.")),
    responses((status = 200, description = "The file."))
)]
async fn viewer(file: web::Path<String>) -> Result<HttpResponse, Error> {
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
    let name = if file.is_empty() {
        "index.html"
    } else {
        file.as_str()
    };
    match utoipa_swagger_ui::serve(name, config) {
        Ok(Some(file)) => Ok(HttpResponse::Ok()
            .content_type(file.content_type)
            .insert_header((
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                 connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
            ))
            .body(file.bytes.to_vec())),
        _ => Err(Problem::new(Slug::NotFound, "the viewer has no such file").into()),
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Interline",
        description = "An exchange hub for loyalty coalitions: members turn points of one brand into points of \
            another at rates both brands agreed to, and the brands settle in money.\n\nEvery write takes an \
            `Idempotency-Key`. Every problem is RFC 9457 with a stable `code`; `GET /problems` lists them. Amounts \
            are decimal strings beside their currency.\n\nGuides: [getting started](/docs/guides/getting-started), \
            [idempotency and retries](/docs/guides/idempotency), [errors](/docs/guides/errors), \
            [imports](/docs/guides/imports), [events](/docs/guides/events), [webhooks](/docs/guides/webhooks), [going live](/docs/guides/going-live), \
            and the [changelog](/docs/changelog).",
        contact(name = "The operators of this hub"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/", description = "this hub")),
    paths(healthz, readyz, openapi, permissions, to_docs, viewer, problem::catalogue, problem::page),
    components(schemas(StatusBody, PermissionsBody, Permission, CatalogueBody, KnownProblemBody, ProblemBody)),
    tags(
        (name = "ledger", description = "Points given, spent and taken back, and the wallets that hold them."),
        (name = "conversions", description = "Points of one brand that become points of another."),
        (name = "settlement", description = "What partners owe each other, window by window."),
        (name = "events", description = "What happened, in one order, to be read on from where one was."),
        (name = "webhooks", description = "Where events are sent to, and what became of them."),
        (name = "operations", description = "Health, problems and this document."),
    ),
    modifiers(&Doors)
)]
struct Cover;

/// The ways to prove who is calling.
struct Doors;

impl Modify for Doors {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scopes = Scopes::from_iter(SCOPES.iter().copied());
        let partner = Flow::ClientCredentials(ClientCredentials::new("/oauth/token", scopes));
        let person = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("session")
            .description(Some("The token of a session, from `POST /v1/sessions`, for people of the hub: `ses_` and 43 characters that tell nothing."))
            .build();
        let of_members = SCOPES.iter().filter(|(name, _)| OF_MEMBERS.contains(name));
        let of_members = Scopes::from_iter(of_members.copied());
        let member = Flow::ClientCredentials(ClientCredentials::new("/oauth/token", of_members));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "member",
            SecurityScheme::OAuth2(OAuth2::with_description(
                [member],
                "A token of /oauth/token that a partner's program exchanged for one of its members (RFC 8693).",
            )),
        );
        components.add_security_scheme(
            "partner",
            SecurityScheme::OAuth2(OAuth2::with_description(
                [partner],
                "A token of /oauth/token, for a partner's programs.",
            )),
        );
        components.add_security_scheme("person", SecurityScheme::Http(person));
    }
}

/// The OpenAPI document of the whole hub.
pub fn document() -> utoipa::openapi::OpenApi {
    completed().0
}

/// The fields of the document of which nothing gives an example, and the problems that an operation names in
/// vain.
pub fn without_example() -> Missing {
    completed().1
}

fn completed() -> (utoipa::openapi::OpenApi, Missing) {
    let mut document = parts();
    let unwritable = |error: serde_json::Error| vec![error.to_string()];
    let missing = docs::complete(&mut document, DEPRECATED).unwrap_or_else(unwritable);
    (document, missing)
}

/// What every slice says of itself.
fn parts() -> utoipa::openapi::OpenApi {
    let mut document = Cover::openapi();
    for part in [
        access::api::Doc::openapi(),
        partners::api::Doc::openapi(),
        members::api::Doc::openapi(),
        members::claims::api::Doc::openapi(),
        approvals::api::Doc::openapi(),
        staff::api::Doc::openapi(),
        ledger::api::Doc::openapi(),
        rates::api::Doc::openapi(),
        mandates::api::Doc::openapi(),
        conversions::api::Doc::openapi(),
        conversions::transfers::api::Doc::openapi(),
        conversions::options::api::Doc::openapi(),
        conversions::buy_outs::api::Doc::openapi(),
        settlement::api::Doc::openapi(),
        settlement::calendar::api::Doc::openapi(),
        settlement::reports::api::Doc::openapi(),
        settlement::exposures::api::Doc::openapi(),
        settlement::commissions::api::Doc::openapi(),
        settlement::netting::api::Doc::openapi(),
        imports::api::Doc::openapi(),
        imports::undo::api::Doc::openapi(),
        matches::api::Doc::openapi(),
        events::api::Doc::openapi(),
        events::trail::api::Doc::openapi(),
        sandbox::api::Doc::openapi(),
        webhooks::api::Doc::openapi(),
        docs::api::Doc::openapi(),
    ] {
        document.merge(part);
    }
    document.webhooks = Some(webhooks::documented::webhooks());
    document
}

/// The document as it is published.
pub fn published() -> serde_json::Result<utoipa::openapi::OpenApi> {
    let mut document = document();
    docs::publish(&mut document)?;
    Ok(document)
}

/// The document as a hub of this environment serves it: that of a sandbox says so first.
fn document_of(environment: Environment) -> serde_json::Result<utoipa::openapi::OpenApi> {
    let mut document = published()?;
    if environment.is_sandbox() {
        document.info.title = "Interline sandbox".to_owned();
        for server in document.servers.iter_mut().flatten() {
            server.description = Some("this sandbox".to_owned());
        }
    }
    Ok(document)
}

/// The document as it is kept in `openapi/`.
pub fn document_text() -> String {
    text_of(published())
}

fn text_of(document: serde_json::Result<utoipa::openapi::OpenApi>) -> String {
    let written = document.and_then(|document| document.to_pretty_json());
    let mut text = written.unwrap_or_default();
    text.push('\n');
    text
}
