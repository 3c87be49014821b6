//! Who can use the sample coalition, with what: printed for people, written as JSON for scripts.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::access::second_factor::totp::Secret;
use crate::clock;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// Where the hub is reached.
    pub base_url: String,
    pub partners: Vec<PartnerCredential>,
    pub people: Vec<PersonCredential>,
    pub members: Vec<MemberId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartnerCredential {
    pub code: String,
    pub id: String,
    pub currency: String,
    pub client_id: String,
    pub client_secret: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PersonCredential {
    pub role: String,
    pub login: String,
    pub password: String,
    /// What the person's authenticator holds, in base32.
    pub totp_secret: String,
}

impl PersonCredential {
    /// What this person sends to sign in now.
    pub fn sign_in(&self) -> serde_json::Value {
        let secret = Secret::parse(&self.totp_secret);
        let code = secret.map(|secret| secret.code(clock::machine_now().timestamp()));
        serde_json::json!({"login": self.login, "password": self.password, "code": code})
    }
}

/// A member, once for each partner that knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemberId {
    pub id: String,
    pub partner: String,
    pub number: String,
}

impl Credentials {
    pub fn partner(&self, code: &str) -> anyhow::Result<&PartnerCredential> {
        let found = self.partners.iter().find(|partner| partner.code == code);
        found.with_context(|| format!("the coalition has no {code}"))
    }

    pub fn person(&self, role: &str) -> anyhow::Result<&PersonCredential> {
        let found = self.people.iter().find(|person| person.role == role);
        found.with_context(|| format!("nobody is {role}"))
    }

    pub fn read(file: &Path) -> anyhow::Result<Credentials> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))
    }

    /// Writes the file whole or not at all, for its owner only.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let unfinished = file.with_extension("unfinished");
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let mut out = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .with_context(|| format!("cannot write {}", unfinished.display()))?;
        out.set_permissions(fs::Permissions::from_mode(0o600))?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&unfinished, file).with_context(|| format!("cannot write {}", file.display()))
    }
}
