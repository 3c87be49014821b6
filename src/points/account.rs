//! An account's id says what it is, so no table of accounts is needed and no transfer can cross
//! assets unnoticed.
//!
//! | bits | 58..62 | 44..57 | 39..43 | 0..38 |
//! |------|--------|--------|--------|-------|
//! |      | shard (0 today) | asset | kind | rest |
//!
//! *asset* is the ISO 4217 number of a money (below 1000) or a currency's number (1000 and up).
//! *rest* is random for a wallet; the partner's id for a position, a payable and what it paid ahead; the
//! currency's number for a reserve; 0 otherwise.

/// The number of a currency or a money.
pub type Asset = i16;

const ASSET_SHIFT: u32 = 44;
const KIND_SHIFT: u32 = 39;
const REST: i64 = (1 << KIND_SHIFT) - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum AccountKind {
    /// One wallet of one member.
    Wallet = 1,
    /// All wallets of a currency: what its issuer still owes in points.
    Members = 2,
    Issued = 3,
    ConvertedIn = 4,
    Redeemed = 5,
    ConvertedOut = 6,
    Expired = 7,
    Adjusted = 8,
    /// What was given on top of a conversion, and paid for by its funder.
    Bonus = 9,
    /// What members paid in points for conversions: back with who issues them.
    PointFees = 10,
    /// One wallet of one member whose balance its issuer keeps: what moves passes through it.
    PartnerWallet = 11,
    /// What came from balances that the issuer keeps (debit), and what went to them (credit).
    KeptByPartner = 12,
    /// What a partner owes the hub (debit) or is owed (credit).
    Position = 16,
    Commission = 17,
    Rounding = 18,
    FxClearing = 19,
    /// What members paid in money for conversions, where it is the hub's.
    MemberFees = 20,
    /// What a funder pays for a bonus of its own points, on its way back to it.
    BonusFunding = 21,
    /// What the hub is to pay a partner of an approved batch.
    Payable = 22,
    /// The hub's money at its bank.
    Bank = 23,
    /// What the hub made (credit) or lost (debit) by exchange rates.
    FxGainLoss = 24,
    /// What no partner paid and the hub had to.
    Loss = 25,
    /// What came to the bank and is nobody's yet.
    UnallocatedReceipts = 26,
    /// What a partner paid ahead, as its cover.
    Prefund = 27,
    /// What stands behind the units of a coalition currency.
    Reserve = 28,
    /// What the hub earns with units of a coalition currency once they are used.
    MarginDeferred = 29,
    /// What it earned with units that were used.
    Margin = 30,
    /// The hub's part of units of a coalition currency that nobody used.
    Breakage = 31,
}

impl AccountKind {
    const ALL: [AccountKind; 28] = [
        AccountKind::Wallet,
        AccountKind::Members,
        AccountKind::Issued,
        AccountKind::ConvertedIn,
        AccountKind::Redeemed,
        AccountKind::ConvertedOut,
        AccountKind::Expired,
        AccountKind::Adjusted,
        AccountKind::Bonus,
        AccountKind::PointFees,
        AccountKind::PartnerWallet,
        AccountKind::KeptByPartner,
        AccountKind::Position,
        AccountKind::Commission,
        AccountKind::Rounding,
        AccountKind::FxClearing,
        AccountKind::MemberFees,
        AccountKind::BonusFunding,
        AccountKind::Payable,
        AccountKind::Bank,
        AccountKind::FxGainLoss,
        AccountKind::Loss,
        AccountKind::UnallocatedReceipts,
        AccountKind::Prefund,
        AccountKind::Reserve,
        AccountKind::MarginDeferred,
        AccountKind::Margin,
        AccountKind::Breakage,
    ];

    /// What the books call it.
    pub fn name(self) -> &'static str {
        match self {
            AccountKind::Wallet => "member",
            AccountKind::Members => "members",
            AccountKind::Issued => "issued",
            AccountKind::ConvertedIn => "converted_in",
            AccountKind::Redeemed => "redeemed",
            AccountKind::ConvertedOut => "converted_out",
            AccountKind::Expired => "expired",
            AccountKind::Adjusted => "adjusted",
            AccountKind::Bonus => "bonus",
            AccountKind::PointFees => "fees",
            AccountKind::PartnerWallet => "member_at_partner",
            AccountKind::KeptByPartner => "kept_by_partner",
            AccountKind::Position => "position",
            AccountKind::Commission => "hub/commission",
            AccountKind::Rounding => "hub/rounding",
            AccountKind::FxClearing => "hub/fx_clearing",
            AccountKind::MemberFees => "hub/member_fees",
            AccountKind::BonusFunding => "hub/bonus_funding",
            AccountKind::Payable => "payable",
            AccountKind::Bank => "bank",
            AccountKind::FxGainLoss => "hub/fx_gain_loss",
            AccountKind::Loss => "hub/loss",
            AccountKind::UnallocatedReceipts => "unallocated_receipts",
            AccountKind::Prefund => "prefund",
            AccountKind::Reserve => "reserve",
            AccountKind::MarginDeferred => "hub/issuance_margin_deferred",
            AccountKind::Margin => "hub/issuance_margin",
            AccountKind::Breakage => "hub/breakage",
        }
    }
}

impl Account {
    /// The one account of this kind for an asset.
    pub fn of(kind: AccountKind, asset: Asset) -> Account {
        Account::with(kind, asset, 0)
    }

    pub fn position(partner: i64, money: Asset) -> Account {
        Account::with(AccountKind::Position, money, partner)
    }

    /// What the hub is to pay a partner.
    pub fn payable(partner: i64, money: Asset) -> Account {
        Account::with(AccountKind::Payable, money, partner)
    }

    /// What stands behind a coalition currency, in a money.
    pub fn reserve(currency: Asset, money: Asset) -> Account {
        Account::with(AccountKind::Reserve, money, currency.into())
    }

    /// A new wallet: `random` may be any number, its low 39 bits are used.
    pub fn wallet(currency: Asset, random: i64) -> Account {
        Account::with(AccountKind::Wallet, currency, random & REST)
    }

    /// The same for a currency whose balances its issuer keeps.
    pub fn partner_wallet(currency: Asset, random: i64) -> Account {
        Account::with(AccountKind::PartnerWallet, currency, random & REST)
    }

    fn with(kind: AccountKind, asset: Asset, rest: i64) -> Account {
        Account((i64::from(asset) << ASSET_SHIFT) | ((kind as i64) << KIND_SHIFT) | rest)
    }

    /// Whether what it counts is money, and not points.
    pub fn is_of_money(self) -> bool {
        self.asset() < 1000
    }

    pub fn asset(self) -> Asset {
        // 14 bits always fit.
        ((self.0 >> ASSET_SHIFT) & 0x3fff) as Asset
    }

    pub fn kind(self) -> Option<AccountKind> {
        AccountKind::ALL.into_iter().find(|kind| self.is(*kind))
    }

    /// Whether this is the account that `kind` names, whatever its asset and owner.
    pub fn is(self, kind: AccountKind) -> bool {
        (self.0 >> KIND_SHIFT) & 0x1f == kind as i64
    }

    /// Whether it is a wallet whose balance its issuer keeps.
    pub fn is_kept_by_partner(self) -> bool {
        self.is(AccountKind::PartnerWallet)
    }

    /// The account in the books that stands for this wallet and all others of its currency.
    pub fn holders(self) -> Account {
        let kind = match self.is_kept_by_partner() {
            true => AccountKind::KeptByPartner,
            false => AccountKind::Members,
        };
        Account::of(kind, self.asset())
    }

    /// The partner a position or a payable belongs to, or the currency a reserve stands behind.
    pub fn owner(self) -> i64 {
        self.0 & REST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_says_what_it_is() {
        let position = Account::position(7, 840);

        assert_eq!((position.asset(), position.owner()), (840, 7));
        for kind in AccountKind::ALL {
            assert_eq!(Account::of(kind, 840).kind(), Some(kind));
        }
        assert!(position.is(AccountKind::Position) && !position.is(AccountKind::Wallet));
        assert!(Account::wallet(16_383, -1).0 > 0, "ids stay positive");
        assert_eq!(Account::wallet(1_000, -1).asset(), 1_000);
        for (wallet, holders) in [
            (Account::wallet(1_000, 5), AccountKind::Members),
            (
                Account::partner_wallet(1_000, 5),
                AccountKind::KeptByPartner,
            ),
            (
                Account::of(AccountKind::Members, 1_000),
                AccountKind::Members,
            ),
        ] {
            assert_eq!(wallet.holders(), Account::of(holders, 1_000));
        }
    }
}
