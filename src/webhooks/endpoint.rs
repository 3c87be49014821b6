//! An endpoint: where a partner is told of events, and the rules of its address.

use std::net::IpAddr;

use reqwest::Url;

use super::reach::Reach;
use crate::access::audit::Subject;
use crate::clock::Timestamp;

/// The longest address, in bytes.
pub const LONGEST_URL: usize = 2_048;

/// The most endpoints of one partner.
pub const MOST: i64 = 10;

/// The most types that one asks for.
pub const MOST_TYPES: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Enabled,
    /// By its partner.
    Disabled,
    /// By the hub, after 72 hours without a success.
    Failed,
}

impl State {
    pub const ALL: [State; 3] = [State::Enabled, State::Disabled, State::Failed];

    pub fn name(self) -> &'static str {
        match self {
            State::Enabled => "enabled",
            State::Disabled => "disabled",
            State::Failed => "failed",
        }
    }

    pub fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: i64,
    pub partner: i64,
    pub url: String,
    pub description: Option<String>,
    /// Which events; all when empty.
    pub types: Vec<String>,
    pub state: State,
    pub secret_version: i32,
    /// Until when the secret before signs too.
    pub previous_until: Option<Timestamp>,
    /// The last place of the feed that was dealt with.
    pub cursor: i64,
    /// In a row.
    pub failures: i32,
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before.
    pub rests_until: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Endpoint {
    /// Of what happens to endpoints an endpoint is told only if it asks for that.
    pub fn wants(&self, kind: &str) -> bool {
        match self.types.is_empty() {
            true => kind != Subject::WebhookEndpoint.event(),
            false => self.types.iter().any(|wanted| wanted == kind),
        }
    }

    /// The versions of the secret that sign now, the newest first.
    pub fn secret_versions(&self, now: Timestamp) -> impl Iterator<Item = i32> {
        let previous = self.previous_until.filter(|until| now < *until);
        let before = previous.map(|_| self.secret_version - 1);
        std::iter::once(self.secret_version).chain(before)
    }
}

/// Why nothing is sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadUrl {
    TooLong,
    NotAbsolute,
    NotHttps,
    WithUser,
    WithFragment,
    NotPublic,
}

impl BadUrl {
    pub fn rule(self) -> &'static str {
        match self {
            BadUrl::TooLong => "at most 2048 bytes",
            BadUrl::NotAbsolute => "an absolute URL with a host, like https://example.com/events",
            BadUrl::NotHttps => "a URL that begins with https://",
            BadUrl::WithUser => "a URL without a user and a password: the signature is the proof",
            BadUrl::WithFragment => "a URL without a fragment",
            BadUrl::NotPublic => "a host on the public internet",
        }
    }
}

/// An address that may be sent to, as far as can be told before its name is resolved.
pub fn url(text: &str, reach: &Reach) -> Result<Url, BadUrl> {
    if text.len() > LONGEST_URL {
        return Err(BadUrl::TooLong);
    }
    let url = Url::parse(text).map_err(|_| BadUrl::NotAbsolute)?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) || !url.has_host() {
        return Err(BadUrl::NotAbsolute);
    }
    let is_plain = url.scheme() == "http";
    if url.scheme() != "https" && !(is_plain && reach.is_wider()) {
        return Err(BadUrl::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadUrl::WithUser);
    }
    if url.fragment().is_some() {
        return Err(BadUrl::WithFragment);
    }
    let refused = literal(&url).is_some_and(|address| match is_plain {
        true => !reach.allows(address),
        false => !reach.admits(address),
    });
    match refused {
        true => Err(BadUrl::NotPublic),
        false => Ok(url),
    }
}

/// The address that stands in a URL instead of a name.
pub fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_or_refused_for_a_reason() {
        let strict = Reach::default();
        let wide = Reach::allowing(vec!["127.0.0.0/8".parse().expect("a range")]);
        for (text, refused) in [
            ("https://example.com/events?a=b", None),
            ("https://example.com:8443", None),
            ("https://[2606:4700::1111]/", None),
            ("http://example.com/", Some(BadUrl::NotHttps)),
            ("ftp://example.com/", Some(BadUrl::NotHttps)),
            ("mailto:a@example.com", Some(BadUrl::NotAbsolute)),
            ("/events", Some(BadUrl::NotAbsolute)),
            ("", Some(BadUrl::NotAbsolute)),
            ("https://exa mple.com/", Some(BadUrl::NotAbsolute)),
            ("https://example.com/\u{7}", Some(BadUrl::NotAbsolute)),
            ("https://a:b@example.com/", Some(BadUrl::WithUser)),
            ("https://example.com/#top", Some(BadUrl::WithFragment)),
            ("https://127.0.0.1/", Some(BadUrl::NotPublic)),
            ("https://2130706433/", Some(BadUrl::NotPublic)),
            ("https://0x7f.1/", Some(BadUrl::NotPublic)),
            ("https://017700000001/", Some(BadUrl::NotPublic)),
            ("https://[::1]/", Some(BadUrl::NotPublic)),
            ("https://[::ffff:10.0.0.1]/", Some(BadUrl::NotPublic)),
            ("https://169.254.169.254/latest", Some(BadUrl::NotPublic)),
        ] {
            assert_eq!(url(text, &strict).err(), refused, "{text}");
        }
        assert_eq!(
            url(&format!("https://a.tw/{}", "a".repeat(2_048)), &strict).err(),
            Some(BadUrl::TooLong)
        );
        for (text, refused) in [
            ("http://127.0.0.1:8080/", None),
            ("https://127.0.0.1/", None),
            ("http://10.0.0.1/", Some(BadUrl::NotPublic)),
            ("http://8.8.8.8/", Some(BadUrl::NotPublic)),
        ] {
            assert_eq!(url(text, &wide).err(), refused, "{text}");
        }
    }

    #[test]
    fn states_have_names() {
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
        }
        assert_eq!(State::named("gone"), None);
    }
}
