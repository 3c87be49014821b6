//! An operation: one line of the journal, in both books.
//!
//! | kind       | leg out of a wallet goes to | leg into a wallet comes from |
//! |------------|-----------------------------|------------------------------|
//! | award      |                             | `issued`                     |
//! | redemption | `redeemed`                  |                              |
//! | conversion | `converted_out`             | `converted_in`               |
//! | expiry     | `expired`                   |                              |
//! | hold       | nowhere: it stays theirs    |                              |
//! | capture    | `redeemed`                  |                              |
//! | release    |                             | nowhere                      |
//! | adjustment | `adjusted`                  | `adjusted`                   |
//! | delivery   | nowhere: it is in one wallet | nowhere: it was in one      |
//! | freeze, thaw | nowhere: it stays theirs  | nowhere: it was theirs      |
//!
//! A reversal takes the legs of what it undoes the other way, against the same accounts. So each leg
//! is a whole transfer, and an operation cannot be written down unbalanced.

use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::lot::{LotKey, Pockets};
use crate::clock::Timestamp;
use crate::points::account::{Account, AccountKind};
use crate::points::money::Micros;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum Kind {
    Award = 1,
    Redemption = 2,
    Conversion = 3,
    Expiry = 4,
    Hold = 5,
    Capture = 6,
    Release = 7,
    Adjustment = 8,
    Delivery = 9,
    Freeze = 10,
    AwardReversal = 11,
    RedemptionReversal = 12,
    ConversionReversal = 13,
    Thaw = 14,
    CaptureReversal = 16,
}

impl Kind {
    pub const ALL: [Kind; 15] = [
        Kind::Award,
        Kind::Redemption,
        Kind::Conversion,
        Kind::Expiry,
        Kind::Hold,
        Kind::Capture,
        Kind::Release,
        Kind::Adjustment,
        Kind::Delivery,
        Kind::Freeze,
        Kind::AwardReversal,
        Kind::RedemptionReversal,
        Kind::ConversionReversal,
        Kind::Thaw,
        Kind::CaptureReversal,
    ];

    pub fn of_number(number: i16) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as i16 == number)
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Award => "award",
            Kind::Redemption => "redemption",
            Kind::Conversion => "conversion",
            Kind::Expiry => "expiry",
            Kind::Hold => "hold",
            Kind::Capture => "capture",
            Kind::Release => "release",
            Kind::Adjustment => "adjustment",
            Kind::Delivery => "delivery",
            Kind::Freeze => "freeze",
            Kind::AwardReversal => "award_reversal",
            Kind::RedemptionReversal => "redemption_reversal",
            Kind::ConversionReversal => "conversion_reversal",
            Kind::Thaw => "thaw",
            Kind::CaptureReversal => "capture_reversal",
        }
    }

    /// The kind that undoes this one, where there is one.
    pub fn reversal(self) -> Option<Kind> {
        match self {
            Kind::Award => Some(Kind::AwardReversal),
            Kind::Redemption => Some(Kind::RedemptionReversal),
            Kind::Conversion => Some(Kind::ConversionReversal),
            Kind::Capture => Some(Kind::CaptureReversal),
            Kind::Expiry
            | Kind::Hold
            | Kind::Release
            | Kind::Adjustment
            | Kind::Delivery
            | Kind::Freeze
            | Kind::AwardReversal
            | Kind::RedemptionReversal
            | Kind::ConversionReversal
            | Kind::Thaw
            | Kind::CaptureReversal => None,
        }
    }

    /// The kind of what an operation of this kind follows.
    pub fn follows(self) -> Option<Kind> {
        match self {
            Kind::Capture | Kind::Release => Some(Kind::Hold),
            Kind::Delivery => Some(Kind::Conversion),
            _ => Kind::ALL
                .into_iter()
                .find(|kind| kind.reversal() == Some(self)),
        }
    }

    /// What a change of a lot does to what is available there and to what is held.
    pub fn pockets(self, change: i64) -> Pockets {
        let (available, held) = match self {
            Kind::Hold | Kind::Release => (change, -change),
            Kind::Capture => (0, change),
            _ => (change, 0),
        };
        Pockets { available, held }
    }

    pub fn is_reversal(self) -> bool {
        matches!(
            self,
            Kind::AwardReversal
                | Kind::RedemptionReversal
                | Kind::ConversionReversal
                | Kind::CaptureReversal
        )
    }

    /// Where points go that leave a wallet; none when this kind takes none, or they stay the member's.
    pub fn out_flow(self) -> Option<AccountKind> {
        match self {
            Kind::Redemption | Kind::Capture => Some(AccountKind::Redeemed),
            Kind::Conversion => Some(AccountKind::ConvertedOut),
            Kind::Expiry => Some(AccountKind::Expired),
            Kind::Adjustment => Some(AccountKind::Adjusted),
            Kind::AwardReversal => Some(AccountKind::Issued),
            Kind::ConversionReversal => Some(AccountKind::ConvertedIn),
            Kind::Award
            | Kind::Hold
            | Kind::Release
            | Kind::Delivery
            | Kind::Freeze
            | Kind::Thaw
            | Kind::RedemptionReversal
            | Kind::CaptureReversal => None,
        }
    }

    /// Where points come from that enter a wallet; none when this kind brings none, or they were the
    /// member's.
    pub fn in_flow(self) -> Option<AccountKind> {
        match self {
            Kind::Award => Some(AccountKind::Issued),
            Kind::Adjustment => Some(AccountKind::Adjusted),
            Kind::Conversion => Some(AccountKind::ConvertedIn),
            Kind::RedemptionReversal | Kind::CaptureReversal => Some(AccountKind::Redeemed),
            Kind::ConversionReversal => Some(AccountKind::ConvertedOut),
            Kind::Redemption
            | Kind::Expiry
            | Kind::Hold
            | Kind::Capture
            | Kind::Release
            | Kind::Delivery
            | Kind::Freeze
            | Kind::Thaw
            | Kind::AwardReversal => None,
        }
    }
}

/// Points out of or into one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    pub wallet: Account,
    /// In the currency's smallest unit, above zero.
    pub amount: i64,
}

/// What one lot gained, or lost when negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotChange {
    pub wallet: Account,
    pub lot: LotKey,
    pub change: i64,
}

/// The money of an operation: `gross = commission + net`, and `converted = value + residual`, where
/// `converted` is `net` in the paid side's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// The position that owes: debited by gross.
    pub pays: Account,
    /// The position that is owed: credited by value.
    pub paid: Account,
    pub gross: Micros,
    pub commission: Micros,
    pub net: Micros,
    pub converted: Micros,
    pub value: Micros,
    pub residual: Micros,
}

/// One amount of one asset, from the account that is credited to the one that is debited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    pub debit: Account,
    pub credit: Account,
    /// Above zero.
    pub amount: i64,
}

impl Transfer {
    pub fn turned(self) -> Transfer {
        Transfer {
            debit: self.credit,
            credit: self.debit,
            ..self
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The group and the place in it.
    pub id: i64,
    pub kind: Kind,
    pub at: Timestamp,
    pub out: Option<Leg>,
    pub into: Option<Leg>,
    /// In the order of wallets and lots, each lot once. Per wallet these sum to the legs; lots that
    /// activity re-dates change here too, by nothing in sum.
    pub lots: Vec<LotChange>,
    pub figures: Option<Figures>,
    /// What else is posted: bonuses with who pays for them, fees. One that touches the members of a
    /// leg's currency is a part of that leg, which the leg's own flow account is then spared.
    pub transfers: Vec<Transfer>,
    pub card_id: Option<i64>,
    pub exchange_rate_id: Option<i64>,
    pub quote: Option<Uuid>,
    /// The operation this one goes on with: what a reversal undoes, the hold of a capture or release,
    /// the conversion of a delivery.
    pub follows: Option<i64>,
    /// The operation before this one in the wallet of the leg out, and of the leg in.
    pub out_previous: Option<i64>,
    pub in_previous: Option<i64>,
    pub key_hash: Uuid,
    pub body_hash: Uuid,
    pub principal_id: i64,
    pub request_id: Uuid,
    /// What the slice that asked wants to remember. No personal data.
    pub memo: Option<Value>,
}

/// Bits of an operation's id below its group's number.
const PLACE_BITS: u32 = 12;

/// The most operations a group can hold. The other half of the places is for changes of its
/// transaction that move no points (see [`crate::access::audit`]).
pub const LARGEST_GROUP: usize = 1 << (PLACE_BITS - 1);

/// The id of the operation at a place of a group.
pub fn id(group: i64, place: usize) -> i64 {
    (group << PLACE_BITS) | place as i64
}

/// Whether a place is one of an operation.
pub fn is_operation(place: i64) -> bool {
    place & (LARGEST_GROUP as i64) == 0
}

/// The group an operation is in, or the transaction of a change.
pub fn group_of(operation: i64) -> i64 {
    operation >> PLACE_BITS
}

impl Operation {
    /// The operation this one follows, and its kind.
    pub fn followed(&self) -> Option<(Kind, i64)> {
        self.kind.follows().zip(self.follows)
    }

    /// The positions whose money it moves, each once.
    pub fn positions(&self) -> Vec<Account> {
        let figures = self.figures.iter().flat_map(|it| [it.pays, it.paid]);
        let others = self.transfers.iter().flat_map(|it| [it.debit, it.credit]);
        let all = figures.chain(others);
        let mut positions: Vec<Account> = all.filter(|it| it.is(AccountKind::Position)).collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// What it took, or gave when it took nothing: the units in which follow-ups are stated.
    pub fn amount(&self) -> i64 {
        self.out.or(self.into).map_or(0, |leg| leg.amount)
    }

    /// As a follow-up, how much of [`Operation::amount`] of the other this is.
    pub fn follow_up_amount(&self) -> i64 {
        self.into.or(self.out).map_or(0, |leg| leg.amount)
    }

    /// The lots of a wallet that lost, in their order, and how much. Activity re-dates: then there
    /// may be more than the leg, and the leg comes first.
    pub fn losses(&self, wallet: Account) -> impl Iterator<Item = (LotKey, i64)> {
        self.changes(wallet, |change| change < 0)
    }

    /// The lots of a wallet that gained, in their order, and how much.
    pub fn gains(&self, wallet: Account) -> impl Iterator<Item = (LotKey, i64)> {
        self.changes(wallet, |change| change > 0)
    }

    fn changes(
        &self,
        wallet: Account,
        side: fn(i64) -> bool,
    ) -> impl Iterator<Item = (LotKey, i64)> {
        let of_wallet = self
            .lots
            .iter()
            .filter(move |lot| lot.wallet == wallet && side(lot.change));
        of_wallet.map(|lot| (lot.lot, lot.change.abs()))
    }

    /// The expiry that names the lot of a leg on the row itself: when the leg is of one lot, and
    /// that an ordinary one.
    pub fn lot_on_row(&self, leg: Leg) -> Option<Timestamp> {
        let mut of_wallet = self.lots.iter().filter(|lot| lot.wallet == leg.wallet);
        match (of_wallet.next(), of_wallet.next()) {
            (Some(only), None) if only.lot.is_ordinary() => Some(only.lot.expires_at),
            _ => None,
        }
    }

    /// The lot changes that do not fit on the row.
    pub fn more_legs(&self) -> impl Iterator<Item = &LotChange> {
        let legs = [self.out, self.into];
        let on_row = move |wallet| {
            let mut of_wallet = legs.iter().flatten().filter(|leg| leg.wallet == wallet);
            of_wallet.any(|leg| self.lot_on_row(*leg).is_some())
        };
        self.lots.iter().filter(move |lot| !on_row(lot.wallet))
    }

    /// Adds the canonical form to a digest: every field in order, each with its length or a mark
    /// for none, so that no two operations have the same form.
    fn digest_into(&self, digest: &mut Sha256) {
        let Operation {
            id,
            kind,
            at,
            out,
            into,
            lots,
            figures,
            transfers,
            card_id,
            exchange_rate_id,
            quote,
            follows,
            out_previous,
            in_previous,
            key_hash,
            body_hash,
            principal_id,
            request_id,
            memo,
        } = self;
        let mut number = |value: Option<i64>| {
            digest.update([u8::from(value.is_some())]);
            digest.update(value.unwrap_or_default().to_be_bytes());
        };
        for leg in [out, into] {
            number(leg.map(|leg| leg.wallet.0));
            number(leg.map(|leg| leg.amount));
        }
        for value in [
            Some(*id),
            Some(*kind as i64),
            Some(at.timestamp_micros()),
            *card_id,
            *exchange_rate_id,
            *follows,
            *out_previous,
            *in_previous,
        ] {
            number(value);
        }
        number(Some(*principal_id));
        number(Some(lots.len() as i64));
        for LotChange {
            wallet,
            lot,
            change,
        } in lots
        {
            let LotKey {
                expires_at,
                usable_from,
                class,
            } = lot;
            let lot = [
                expires_at.timestamp_micros(),
                usable_from.timestamp_micros(),
                *class,
            ];
            [wallet.0, lot[0], lot[1], lot[2], *change]
                .into_iter()
                .for_each(|value| number(Some(value)));
        }
        number(figures.map(|_| 8));
        if let Some(Figures {
            pays,
            paid,
            gross,
            commission,
            net,
            converted,
            value,
            residual,
        }) = figures
        {
            [
                pays.0,
                paid.0,
                gross.0,
                commission.0,
                net.0,
                converted.0,
                value.0,
                residual.0,
            ]
            .into_iter()
            .for_each(|value| number(Some(value)));
        }
        number(Some(transfers.len() as i64));
        for transfer in transfers {
            let Transfer {
                debit,
                credit,
                amount,
            } = *transfer;
            [debit.0, credit.0, amount]
                .into_iter()
                .for_each(|value| number(Some(value)));
        }
        for id in [
            quote.unwrap_or_default(),
            *key_hash,
            *body_hash,
            *request_id,
        ] {
            digest.update(id.as_bytes());
        }
        let memo = memo.as_ref().map(Value::to_string).unwrap_or_default();
        digest.update((memo.len() as u64).to_be_bytes());
        digest.update(memo);
    }
}

/// SHA-256 over the canonical forms of a group's operations, in order, each with the partner and
/// the hash of the reference it was given.
pub fn digest<'a>(
    operations: impl Iterator<Item = (&'a Operation, Option<(i64, Uuid)>)>,
) -> [u8; 32] {
    let mut digest = Sha256::new();
    for (operation, reference) in operations {
        operation.digest_into(&mut digest);
        let (partner, hash) = reference.unwrap_or_default();
        digest.update(partner.to_be_bytes());
        digest.update(hash.as_bytes());
    }
    digest.finalize().into()
}
