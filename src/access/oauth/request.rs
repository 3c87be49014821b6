//! What a program sends to get a token (RFC 6749, sections 2.3.1 and 4.4; RFC 7523; RFC 8693), and why it gets
//! none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{assertion, exchange};

/// The form of `POST /oauth/token`. Unknown names are ignored, as RFC 6749 asks.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `client_credentials`; or `urn:ietf:params:oauth:grant-type:token-exchange`, for a member's token.
    #[schema(required, example = "client_credentials")]
    pub grant_type: Option<String>,
    /// The scopes the token shall have, with spaces between; all of the credential's when left out. Of a
    /// member's token: some of `conversions:write`, `ledger:read`, `members:read`, `members:write`,
    /// `quotes:write` and `rates:read` that the credential has.
    #[schema(example = "awards:write members:read")]
    pub scope: Option<String>,
    /// When the credentials are not sent with HTTP Basic.
    pub client_id: Option<String>,
    /// When the credentials are not sent with HTTP Basic.
    #[schema(format = Password)]
    pub client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, beside a `client_assertion`.
    pub client_assertion_type: Option<String>,
    /// A JWT that a registered public key verifies: `iss` and `sub` are the client id, `aud` the
    /// issuer or the token endpoint, `exp` at most five minutes ahead, `jti` never used before.
    pub client_assertion: Option<String>,
    /// In an exchange, who the member is: as `subject_token_type` says.
    pub subject_token: Option<String>,
    /// `urn:interline:token-type:membership`: the id of a membership of yours. Or
    /// `urn:ietf:params:oauth:token-type:jwt`: a JWT that a public key of the credential verifies, like an
    /// assertion, with the member's number in your programme as `sub`, and `auth_time` and `acr` if you say them.
    pub subject_token_type: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token`, which is also meant when it is left out.
    pub requested_token_type: Option<String>,
    /// Beside the id of a membership, when the member last proved itself to you, in seconds since 1970. A JWT
    /// says it itself.
    #[schema(example = "1793145600")]
    pub auth_time: Option<String>,
    /// Beside the id of a membership, how the member then proved itself: a word of yours, such as those that your
    /// link terms ask for. A JWT says it itself.
    #[schema(example = "urn:example:2fa")]
    pub acr: Option<String>,
    /// Not taken: the client is the actor.
    #[schema(ignore)]
    pub actor_token: Option<String>,
    /// The hub, where it is said at all.
    pub audience: Option<String>,
    /// The hub, where it is said at all.
    pub resource: Option<String>,
}

/// Who a program says it is, and its proof.
#[derive(Debug, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub proof: Proof,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Proof {
    Secret(String),
    /// A signed assertion (RFC 7523), to be checked.
    Assertion(String),
}

/// What a program wants a token for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// To act for its partner.
    ForItself,
    /// To act for a member.
    ForMember(exchange::Subject),
}

/// Why there is no token: the codes of RFC 6749, section 5.2, and of RFC 8693, section 2.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    InvalidRequest(&'static str),
    InvalidClient,
    UnsupportedGrantType,
    InvalidScope(String),
    /// The client may not ask for tokens of this kind.
    UnauthorizedClient(&'static str),
    /// The token is wanted for something else than the hub.
    InvalidTarget,
}

impl TokenRequest {
    /// Who asks: by HTTP Basic, by the form or by an assertion, and by one of them only.
    pub fn client(&self, authorization: Option<&str>) -> Result<Client, Refusal> {
        if let Some(assertion) = &self.client_assertion {
            return self.by_assertion(assertion, authorization);
        }
        match (authorization, &self.client_id, &self.client_secret) {
            (Some(header), None, None) => basic(header).ok_or(Refusal::InvalidClient),
            (Some(_), ..) => Err(Refusal::InvalidRequest(
                "send the credentials in the header or in the form, not in both",
            )),
            (None, Some(id), Some(secret)) => Ok(Client {
                id: id.clone(),
                proof: Proof::Secret(secret.clone()),
            }),
            (None, ..) => Err(Refusal::InvalidClient),
        }
    }

    fn by_assertion(
        &self,
        assertion: &str,
        authorization: Option<&str>,
    ) -> Result<Client, Refusal> {
        if authorization.is_some() || self.client_secret.is_some() {
            return Err(Refusal::InvalidRequest(
                "send an assertion or a secret, not both",
            ));
        }
        if self.client_assertion_type.as_deref() != Some(assertion::TYPE) {
            return Err(Refusal::InvalidRequest(
                "client_assertion_type is urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ));
        }
        let named = |id: &String| self.client_id.as_ref().is_none_or(|given| given == id);
        let id = assertion::claimed_client(assertion).filter(named);
        Ok(Client {
            id: id.ok_or(Refusal::InvalidClient)?,
            proof: Proof::Assertion(assertion.to_owned()),
        })
    }

    /// What the token is wanted for; `hub` is what the hub is called.
    pub fn wish(&self, hub: &[&str]) -> Result<Wish, Refusal> {
        match self.grant_type.as_deref() {
            Some("client_credentials") => Ok(Wish::ForItself),
            Some(exchange::GRANT) => Ok(Wish::ForMember(self.subject(hub)?)),
            Some(_) => Err(Refusal::UnsupportedGrantType),
            None => Err(Refusal::InvalidRequest("grant_type is missing")),
        }
    }

    fn subject(&self, hub: &[&str]) -> Result<exchange::Subject, Refusal> {
        let meant = [&self.audience, &self.resource].into_iter().flatten();
        if !meant.clone().all(|target| hub.contains(&target.as_str())) {
            return Err(Refusal::InvalidTarget);
        }
        if self.actor_token.is_some() {
            return Err(Refusal::InvalidRequest(
                "send no actor_token: the client is the actor",
            ));
        }
        let wanted = self.requested_token_type.as_deref();
        if wanted.is_some_and(|wanted| wanted != exchange::ACCESS_TOKEN) {
            return Err(Refusal::InvalidRequest(
                "requested_token_type is urn:ietf:params:oauth:token-type:access_token",
            ));
        }
        let token = self.subject_token.clone();
        let token = token.ok_or(Refusal::InvalidRequest("subject_token is missing"))?;
        exchange::Subject::of(
            self.subject_token_type.as_deref(),
            token,
            (self.auth_time.as_deref(), self.acr.as_deref()),
        )
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
        proof: Proof::Secret(form_decoded(secret)?),
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
            proof: Proof::Secret(secret.into()),
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
