//! What a program sends to get a token (RFC 6749, sections 2.3.1 and 4.4), and why it gets none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use utoipa::ToSchema;

/// The form of `POST /oauth/token`. Unknown names are ignored, as RFC 6749 asks.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `client_credentials`.
    #[schema(required, example = "client_credentials")]
    pub grant_type: Option<String>,
    /// The scopes the token shall have, with spaces between; all of the credential's when left out.
    #[schema(example = "awards:write members:read")]
    pub scope: Option<String>,
    /// When the credentials are not sent with HTTP Basic.
    pub client_id: Option<String>,
    /// When the credentials are not sent with HTTP Basic.
    #[schema(format = Password)]
    pub client_secret: Option<String>,
}

/// Who a program says it is, and its proof.
#[derive(Debug, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub secret: String,
}

/// Why there is no token: the codes of RFC 6749, section 5.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    InvalidRequest(&'static str),
    InvalidClient,
    UnsupportedGrantType,
    InvalidScope(String),
}

impl TokenRequest {
    /// Who asks: by HTTP Basic or by the form, and not by both.
    pub fn client(&self, authorization: Option<&str>) -> Result<Client, Refusal> {
        match (authorization, &self.client_id, &self.client_secret) {
            (Some(header), None, None) => basic(header).ok_or(Refusal::InvalidClient),
            (Some(_), ..) => Err(Refusal::InvalidRequest(
                "send the credentials in the header or in the form, not in both",
            )),
            (None, Some(id), Some(secret)) => Ok(Client {
                id: id.clone(),
                secret: secret.clone(),
            }),
            (None, ..) => Err(Refusal::InvalidClient),
        }
    }

    /// There is one kind of grant.
    pub fn check_grant(&self) -> Result<(), Refusal> {
        match self.grant_type.as_deref() {
            Some("client_credentials") => Ok(()),
            Some(_) => Err(Refusal::UnsupportedGrantType),
            None => Err(Refusal::InvalidRequest("grant_type is missing")),
        }
    }
}

/// The id and secret in a Basic header, each form-encoded as RFC 6749 wants them.
fn basic(header: &str) -> Option<Client> {
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = STANDARD
        .decode(encoded.trim())
        .ok()
        .filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Client {
        id: form_decoded(id)?,
        secret: form_decoded(secret)?,
    })
}

fn form_decoded(text: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    match (pairs.next(), pairs.next()) {
        // A text without `=` or `&` is one name with an empty value.
        (Some((name, value)), None) if value.is_empty() => Some(name.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic_of(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn client(id: &str, secret: &str) -> Client {
        Client {
            id: id.into(),
            secret: secret.into(),
        }
    }

    #[test]
    fn credentials_come_by_header_or_by_form() {
        let empty = TokenRequest::default();
        assert_eq!(
            empty.client(Some(&basic_of("crd_1:s-_x"))),
            Ok(client("crd_1", "s-_x"))
        );
        assert_eq!(
            empty.client(Some(&basic_of("crd%5F1:a+b%3A"))),
            Ok(client("crd_1", "a b:"))
        );
        let form = TokenRequest {
            client_id: Some("a".into()),
            client_secret: Some("b".into()),
            ..Default::default()
        };
        assert_eq!(form.client(None), Ok(client("a", "b")));
        assert!(matches!(
            form.client(Some(&basic_of("a:b"))),
            Err(Refusal::InvalidRequest(_))
        ));
    }

    #[test]
    fn anything_else_is_no_client() {
        let empty = TokenRequest::default();
        for header in [
            "",
            "Basic",
            "Basic !!!",
            &basic_of("nocolon"),
            &basic_of("a=b&c:d"),
            "Bearer abc",
            &basic_of(":"),
        ] {
            assert_eq!(
                empty.client(Some(header)),
                Err(Refusal::InvalidClient),
                "{header}"
            );
        }
        assert_eq!(empty.client(None), Err(Refusal::InvalidClient));
    }
}
