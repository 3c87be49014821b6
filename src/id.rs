//! Public ids: a prefix that names the kind and 16 hexadecimal digits that tell nothing.
//!
//! Inside, ids are 64-bit numbers whose order and size would give away how many members or
//! operations there are. Outside, each is put through a permutation keyed with a secret of this
//! hub (Blowfish, whose block is exactly 64 bits), tweaked by its kind so that equal numbers of
//! two kinds look unrelated.

use blowfish::Blowfish;
use blowfish::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Kind {
    Adjustment = 1,
    Approval,
    Award,
    Campaign,
    Capture,
    CertificationRun,
    Conversion,
    Credential,
    Credit,
    Delivery,
    Event,
    ExchangeRate,
    Expiry,
    Freeze,
    Hold,
    Import,
    Lot,
    Mandate,
    Member,
    Membership,
    Partner,
    Person,
    RateCard,
    Redemption,
    Release,
    Reversal,
    Session,
    Thaw,
    Wallet,
    WebhookEndpoint,
    Window,
}

impl Kind {
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::Adjustment => "adj",
            Kind::Approval => "apr",
            Kind::Award => "awd",
            Kind::Campaign => "cmp",
            Kind::Capture => "cap",
            Kind::CertificationRun => "crun",
            Kind::Conversion => "cnv",
            Kind::Credential => "crd",
            Kind::Credit => "crt",
            Kind::Delivery => "dlv",
            Kind::Event => "evt",
            Kind::ExchangeRate => "fxr",
            Kind::Expiry => "exp",
            Kind::Freeze => "frz",
            Kind::Hold => "hld",
            Kind::Import => "imp",
            Kind::Lot => "lot",
            Kind::Mandate => "mdt",
            Kind::Member => "mem",
            Kind::Membership => "mbs",
            Kind::Partner => "ptr",
            Kind::Person => "psn",
            Kind::RateCard => "card",
            Kind::Redemption => "red",
            Kind::Release => "rel",
            Kind::Reversal => "rev",
            Kind::Session => "ssn",
            Kind::Thaw => "thw",
            Kind::Wallet => "wal",
            Kind::WebhookEndpoint => "whe",
            Kind::Window => "win",
        }
    }
}

/// Turns internal ids into public ones and back.
pub struct Ids(Blowfish);

impl Ids {
    pub fn new(secret: &[u8; 32]) -> Ids {
        Ids(Blowfish::new_from_slice(secret)
            .expect("Blowfish takes keys of 4 to 56 bytes, and 32 is between"))
    }

    pub fn show(&self, kind: Kind, id: i64) -> String {
        format!(
            "{}_{:016x}",
            kind.prefix(),
            self.encrypt(id as u64 ^ self.tweak(kind))
        )
    }

    /// The internal id, or none when the text is not an id of this kind.
    pub fn read(&self, kind: Kind, text: &str) -> Option<i64> {
        let digits = text.strip_prefix(kind.prefix())?.strip_prefix('_')?;
        let canonical = digits.len() == 16
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let block = u64::from_str_radix(digits, 16).ok().filter(|_| canonical)?;
        let id = (self.decrypt(block) ^ self.tweak(kind)) as i64;
        (id > 0).then_some(id)
    }

    /// A cursor into a list: the id twice, under two tweaks, so that one that was made up, or is of
    /// another list, does not agree with itself.
    pub fn show_cursor(&self, list: &str, id: i64) -> String {
        let (first, second) = self.list_tweaks(list);
        format!(
            "{:016x}{:016x}",
            self.encrypt(id as u64 ^ first),
            self.encrypt(id as u64 ^ second)
        )
    }

    pub fn read_cursor(&self, list: &str, text: &str) -> Option<i64> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let (first, second) = self.list_tweaks(list);
        let half = |range| {
            u64::from_str_radix(&text[range], 16)
                .ok()
                .map(|block| self.decrypt(block))
        };
        let (one, other) = (half(0..16)? ^ first, half(16..32)? ^ second);
        (one == other).then_some(one as i64)
    }

    fn list_tweaks(&self, list: &str) -> (u64, u64) {
        let tweak = list
            .bytes()
            .fold(1 << 32, |tweak, byte| self.encrypt(tweak ^ u64::from(byte)));
        (tweak, self.encrypt(tweak))
    }

    fn tweak(&self, kind: Kind) -> u64 {
        self.encrypt(kind as u64)
    }

    fn encrypt(&self, block: u64) -> u64 {
        let mut bytes = Array::from(block.to_be_bytes());
        self.0.encrypt_block(&mut bytes);
        u64::from_be_bytes(bytes.into())
    }

    fn decrypt(&self, block: u64) -> u64 {
        let mut bytes = Array::from(block.to_be_bytes());
        self.0.decrypt_block(&mut bytes);
        u64::from_be_bytes(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_went_and_as_no_other_kind() {
        let ids = Ids::new(&[7; 32]);
        for id in [1, 2, 65_536, i64::MAX] {
            let shown = ids.show(Kind::Member, id);
            assert_eq!(ids.read(Kind::Member, &shown), Some(id));
            assert_ne!(ids.show(Kind::Wallet, id)[4..], shown[4..]);
            assert_eq!(ids.read(Kind::Wallet, &shown), None);
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let ids = Ids::new(&[7; 32]);
        let cursor = ids.show_cursor("members", 42);
        assert_eq!(ids.read_cursor("members", &cursor), Some(42));
        assert_eq!(ids.read_cursor("partners", &cursor), None);
        assert_eq!(ids.read_cursor("members", &"0".repeat(32)), None);
    }

    #[test]
    fn anything_else_is_no_id() {
        let ids = Ids::new(&[7; 32]);
        for text in [
            "",
            "mem_",
            "mem_1",
            "mem_zzzzzzzzzzzzzzzz",
            "mem_+000000000000001",
            "MEM_0000000000000001",
            "mem_ABCDEF0000000000",
        ] {
            assert_eq!(ids.read(Kind::Member, text), None, "{text}");
        }
    }
}
