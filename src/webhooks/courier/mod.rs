//! The courier: one POST, bounded in every way, to nowhere but where it may go.
//!
//! A name is resolved when the connection is made, and only addresses that are admitted are
//! connected to; so a name that points elsewhere tomorrow gains nothing. An address in the URL
//! itself is looked at right before. Redirects and proxies are not followed.
//!
//! A status of 2xx is the receipt. The rest of the answer is read for a moment, so that the
//! connection can be used again, and only its beginning is kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, ClientBuilder, Response, Url, redirect};

use super::endpoint;
use super::reach::Reach;

const TO_CONNECT: Duration = Duration::from_secs(3);
const IN_ALL: Duration = Duration::from_secs(10);

/// How long the rest of an answer is waited for, and how much of it is read and kept.
const TO_READ: Duration = Duration::from_secs(1);
const READ: usize = 64 * 1024;
const KEPT: usize = 512;

/// A signed message.
#[derive(Debug, Clone)]
pub struct Letter {
    pub id: String,
    pub timestamp: i64,
    pub signatures: String,
    pub body: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub status: Option<u16>,
    /// Why there is no status, or none that will do.
    pub failure: Option<&'static str>,
    /// How the answer began, when it was a failure.
    pub answer: Option<String>,
    pub took: Duration,
}

impl Receipt {
    pub fn is_success(&self) -> bool {
        self.failure.is_none()
    }
}

/// Sends letters.
pub struct Courier {
    reach: Reach,
    /// None when the machine has no certificates to trust.
    https: Option<Client>,
    /// For what the configuration allows, which alone is reached without TLS.
    plain: Client,
}

impl Courier {
    pub fn new(reach: &Reach) -> anyhow::Result<Courier> {
        let client = |may: fn(&Reach, std::net::IpAddr) -> bool| {
            let reach = reach.clone();
            builder().dns_resolver(Arc::new(Admitted { reach, may }))
        };
        let https = client(Reach::admits).build();
        if let Err(error) = &https {
            tracing::warn!(%error, "no webhook is sent over https: {NO_CERTIFICATES}");
        }
        Ok(Courier {
            https: https.ok(),
            plain: client(Reach::allows).tls_certs_only([]).build()?,
            reach: reach.clone(),
        })
    }

    /// Delivers a letter, or says why not. Never takes longer than eleven seconds.
    pub async fn post(&self, url: &str, letter: Letter) -> Receipt {
        let since = Instant::now();
        let (status, failure, answer) = match endpoint::url(url, &self.reach) {
            Ok(url) => self.send(url, letter).await,
            Err(_) => (None, Some(REFUSED), None),
        };
        Receipt {
            status,
            failure,
            answer,
            took: since.elapsed(),
        }
    }

    async fn send(
        &self,
        url: Url,
        letter: Letter,
    ) -> (Option<u16>, Option<&'static str>, Option<String>) {
        let client = match (url.scheme(), &self.https) {
            ("http", _) => &self.plain,
            (_, Some(https)) => https,
            (_, None) => return (None, Some(NO_CERTIFICATES), None),
        };
        let sent = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", letter.id)
            .header("webhook-timestamp", letter.timestamp)
            .header("webhook-signature", letter.signatures)
            .body(letter.body)
            .send();
        let response = match tokio::time::timeout(IN_ALL, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return (None, Some(reason(&error)), None),
            Err(_) => return (None, Some(TOO_SLOW), None),
        };
        let status = response.status();
        let failure = match status {
            _ if status.is_success() => None,
            _ if status.is_redirection() => Some("it redirects, which is not followed"),
            _ => Some("the status is not 2xx"),
        };
        let beginning = beginning(response).await;
        let answer = failure.map(|_| beginning);
        (Some(status.as_u16()), failure, answer)
    }
}

const REFUSED: &str = "the address is not one that the hub sends to";
const NO_CERTIFICATES: &str =
    "the hub has no certificates to check TLS with; on Debian, ca-certificates has them";
const TOO_SLOW: &str = "no answer within 10 seconds";

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("Interline/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(TO_CONNECT)
        .timeout(IN_ALL)
        .pool_max_idle_per_host(4)
        .pool_idle_timeout(Duration::from_secs(30))
}

fn reason(error: &reqwest::Error) -> &'static str {
    let is_refused = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source())
        .any(|cause| cause.is::<NotAdmitted>());
    match () {
        () if is_refused => REFUSED,
        () if error.is_connect() => "no connection, or no TLS, within 3 seconds",
        () if error.is_timeout() => TOO_SLOW,
        () => "the connection broke before an answer came",
    }
}

/// How an answer begins. What comes after that is not waited for.
async fn beginning(mut response: Response) -> String {
    let (mut kept, mut read) = (Vec::new(), 0);
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = KEPT - kept.len();
            kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
            read += chunk.len();
            if read > READ {
                break;
            }
        }
    };
    // What takes longer is left where it is, and the connection with it.
    let _ = tokio::time::timeout(TO_READ, reading).await;
    printable(&kept)
}

fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let printed = text.chars().map(|c| match c {
        '\n' | '\t' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    printed.collect()
}

/// Resolves names to the addresses that may be connected to.
struct Admitted {
    reach: Reach,
    may: fn(&Reach, std::net::IpAddr) -> bool,
}

/// A name that leads nowhere the hub sends to.
#[derive(Debug, thiserror::Error)]
#[error("no address of this name may be connected to")]
struct NotAdmitted;

impl Resolve for Admitted {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, may) = (self.reach.clone(), self.may);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> =
                found.filter(|address| may(&reach, address.ip())).collect();
            match admitted.is_empty() {
                true => Err(NotAdmitted.into()),
                false => Ok(Box::new(admitted.into_iter()) as Addrs),
            }
        })
    }
}
