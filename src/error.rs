//! Two ways to fail. *Refused*: the caller is told what was wrong and what would be right, as an
//! RFC 9457 problem. *Broken*: the caller learns only that it broke; the log gets the cause, once.
//!
//! [`CATALOGUE`] is every problem there is. Slices turn their refusals into [`Problem`]s in one
//! exhaustive `match`; `GET /problems/{slug}` shows a page from the same table.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

macro_rules! problems {
    ($($name:ident $status:literal $slug:literal $title:literal $advice:literal;)*) => {
        /// Names a problem. What the status means to the reader: 400 fix the program, 401 get a
        /// token, 403 never, 404 there is none for you, 409 somebody was first, 410 too late,
        /// 422 understood and not possible now, 503 wait as told, 500 tell us.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Slug { $($name),* }

        /// Every problem: slug, status, title, advice.
        pub const CATALOGUE: &[Entry] = &[$(Entry {
            name: Slug::$name, slug: $slug, status: $status, title: $title, advice: $advice,
        }),*];
    };
}

problems! {
    AlreadyMember 409 "already-member" "The member is linked to this programme already" "Look the membership up instead of creating it: a member has one per partner.";
    AlreadyReversed 409 "already-reversed" "The operation has been reversed" "Nothing more can be taken back. The detail names the reversal.";
    AmountAboveMaximum 422 "amount-above-maximum" "The amount is more than the card allows at once" "Send at most `maximum`.";
    AmountBelowMinimum 422 "amount-below-minimum" "The amount is less than the card allows" "Send at least `minimum`.";
    AmountNotADenomination 422 "amount-not-a-denomination" "The card sells fixed amounts only" "Send `next_down` or `next_up`.";
    AmountOffStep 422 "amount-off-step" "The amount is between two steps of the card" "Send `next_down` or `next_up`.";
    AmountScale 422 "amount-scale" "The amount has more decimals than its currency" "Round it on your side; `scale` is how many decimals the currency has.";
    AmountTooLarge 422 "amount-too-large" "The amount is beyond what the hub counts" "No amount may exceed 10^15 of a currency's smallest unit.";
    AmountTooSmall 422 "amount-too-small" "The amount would give nothing" "Send at least `minimum`, the smallest amount that gives one unit.";
    ApprovalChanged 409 "approval-changed" "What was to be approved is not what you read" "Read it again and approve with its `content_hash`.";
    ApprovalClosed 409 "approval-closed" "The approval is decided already" "Look at its state; propose again if it should be decided anew.";
    ApprovalExpired 410 "approval-expired" "The approval was not given in time" "Propose again.";
    ApprovalOpen 409 "approval-open" "An approval of this is under way" "Wait for it to be decided, or withdraw it first.";
    AwardFrozen 409 "award-frozen" "The award is frozen with its import" "Thaw the import, `import`, or let it be undone as a whole.";
    BalanceTooLow 422 "balance-too-low" "The wallet holds less than that" "`held` is what can be used now, `needed` what was asked for.";
    BodyIncomplete 400 "body-incomplete" "The body did not arrive whole" "Ask how far it went, and send the rest from there: what was taken is not taken twice.";
    BodyTooLarge 413 "body-too-large" "The body is larger than 64 KiB" "Send less at once.";
    CampaignBudgetUsedUp 422 "campaign-budget-used-up" "What is left of a campaign is less than its bonus" "Ask for a new quote: it says what there is without the bonus. `left` is what the campaign can still give.";
    CampaignDates 422 "campaign-dates" "The dates of the campaign do not work" "The detail says which date is wrong and what would be right.";
    CampaignLimitReached 422 "campaign-limit-reached" "The member has had what the campaign gives to one" "Ask for a new quote: it says what there is without the bonus.";
    CampaignState 409 "campaign-state" "The campaign is not in a state for that" "`state` is the one it is in.";
    CampaignTerms 422 "campaign-terms" "The terms of the campaign cannot work" "The detail names the field and the reason.";
    CardDates 422 "card-dates" "The dates of the rate card do not work" "The detail says which date is wrong and what would be right.";
    CardState 409 "card-state" "The rate card is not in a state for that" "`state` is the one it is in.";
    CardTerms 422 "card-terms" "The terms of the rate card cannot work" "The detail names the field and the reason.";
    CertificationMissing 409 "certification-missing" "The partner's latest certification did not pass, or there is none" "Record one that passed first.";
    CodeNeeded 401 "code-needed" "A code of your second factor is needed" "Send `code` too: six digits of the authenticator, or a recovery code.";
    CodeRefused 403 "code-refused" "That code is not taken" "Each code is good once, and for half a minute either way: wait for the next one, or use a recovery code.";
    CodeTaken 409 "code-taken" "That code is in use" "Choose another code: codes are unique in the coalition.";
    CredentialLimit 409 "credential-limit" "Two credentials are live already" "Revoke one first: two are enough to rotate without a gap.";
    CreditAnswered 409 "credit-answered" "The credit was answered before" "`state` says how. What is wrong with it is put right by a conversion, or by a transfer.";
    CreditOwed 409 "credit-owed" "What was taken has to be given back" "Credit the member what you said you debited, then acknowledge it.";
    CursorInvalid 400 "cursor-invalid" "The cursor is not one of ours" "Use `next_cursor` of the previous page as it is, or leave it out.";
    DeliveryCodeEnded 410 "delivery-code-ended" "Nothing is delivered for the code any more" "It was not presented in time, or its conversion was undone. The detail says which.";
    DeliveryCodeUnknown 404 "delivery-code-unknown" "There is no such code of yours" "Check how it reads; a code of another brand looks the same as one that does not exist.";
    DeliveryCodeUsed 409 "delivery-code-used" "The code was presented already" "A code delivers once; `delivery` names what it delivered.";
    ExchangeRateMissing 422 "exchange-rate-missing" "There is no exchange rate for these moneys" "Ask the hub's finance team to publish one.";
    Forbidden 403 "forbidden" "You may not do that" "The detail names the role or scope that may.";
    HoldClosed 409 "hold-closed" "Nothing is open of the hold" "All of it was captured or released; make a new hold.";
    HoldExpired 410 "hold-expired" "The hold has ended" "What was open of it goes back to the member; make a new hold.";
    IdempotencyKeyInvalid 400 "idempotency-key-invalid" "The Idempotency-Key is not usable" "1 to 255 visible ASCII characters.";
    IdempotencyKeyMissing 400 "idempotency-key-missing" "Every write needs an Idempotency-Key" "Send a fresh random key with each new write, and the same key when you repeat one.";
    IdempotencyKeyReused 422 "idempotency-key-reused" "That Idempotency-Key came with another body before" "Use a new key for a new request. Nothing was done.";
    ImportClosed 409 "import-closed" "The import takes no more lines" "It is finished. What is left out goes into an import of its own.";
    ImportColumns 422 "import-columns" "The columns are not those of such a file" "The first line names each column once. The detail says which are unknown, missing or there twice.";
    ImportEmpty 422 "import-empty" "There is nothing to import" "Send at least one line; of CSV, one after the header.";
    ImportLineChanged 409 "import-line-changed" "The line is another than was sent under its number before" "Send the same file again, or make another import for another file. `line` is the first that differs.";
    ImportLineMissing 409 "import-line-missing" "Lines are missing" "Go on from line `next_line`.";
    ImportLineUnreadable 422 "import-line-unreadable" "The line cannot be read" "The detail says what is wrong with it and what would be right.";
    ImportStep 409 "import-step" "The import does not go there from where it is" "`state` is where it is. Awards of a finished import are frozen, and then thawed or undone.";
    InsufficientUserAuthentication 401 "insufficient-user-authentication" "The member has to prove itself again" "Let the member prove itself to the partner as `WWW-Authenticate` says (RFC 9470), exchange for a new token with its `auth_time` and `acr`, and send the same again.";
    InvalidField 400 "invalid-field" "A field is not what it should be" "`errors` names each field and the rule.";
    InvitationInvalid 400 "invitation-invalid" "The invitation is not good" "It is good once and for three days; an operator gives another.";
    KeptByHub 422 "kept-by-hub" "The hub keeps the balances of that currency" "Take the quote with POST /v1/conversions: the hub takes the points from the wallet, and nothing is to be attested.";
    KeptByPartner 422 "kept-by-partner" "The issuer keeps the balances of that currency" "Award, redeem and hold on the issuer's side. To convert, debit the member there, then take the quote with POST /v1/transfers. What waits to be credited is undone when the issuer rejects that.";
    LastOperator 409 "last-operator" "Without that person there is no operator" "Make another operator first.";
    LimitReached 422 "limit-reached" "A limit within a period is reached" "`left` is what may be converted or awarded now; something comes back at `renews_at`.";
    LinkCoolingOff 422 "link-cooling-off" "The link is too young for that" "Wait until `ends_at`: the issuer of what is given lets nothing be converted over a new link for some hours. The wallet can be used for all else.";
    LinkExpired 410 "link-expired" "The link token is too old" "Ask for a new one and use it within its ten minutes.";
    LinkInvalid 400 "link-invalid" "The link token is not one of ours, or not for you" "Send it as it was issued. It is good for the partner that it was asked for, and for no other.";
    LinkUsed 409 "link-used" "The link token was used already" "It links once. Look the membership up by number, or let the member bring a new one.";
    LintNotAcknowledged 422 "lint-not-acknowledged" "The rate card rewards what you may not want" "Read its `lints`, then send the codes of `missing` as `acknowledges`.";
    MakerIsChecker 403 "maker-is-checker" "Who asked cannot also approve" "Somebody else has to look at it.";
    MalformedJson 400 "malformed-json" "The body is not JSON as RFC 8259 defines it" "The detail says where reading stopped.";
    MandateNotInForce 422 "mandate-not-in-force" "Nothing is awarded under the mandate now" "`state` is the one it is in; it is in force once both agreed, from its first day to its last.";
    MandateState 409 "mandate-state" "The mandate does not go there from where it is" "`state` is the one it is in. Other terms are another mandate.";
    MembershipAlone 409 "membership-alone" "The membership is linked to no other" "There is nothing to end: the member has no other membership.";
    MembershipMissing 422 "membership-missing" "The member has no wallet in that currency" "Link a membership with its issuer first.";
    MethodNotAllowed 405 "method-not-allowed" "There is something here, but not for this method" "The Allow header names the methods there are.";
    MoneyPump 422 "money-pump" "Somebody could gain by going in a circle" "Let one card of `cycle` give less, or the cards hold at other times. `returns` is what one unit would come back as at best.";
    MoreThanLeft 422 "more-than-left" "That is more than is left" "Send at most `left`, or leave the amount out for all of it.";
    NoRateCard 422 "no-rate-card" "These currencies are not exchanged now" "`GET /v1/rate-cards` lists what is.";
    NoThroughRoute 422 "no-through-route" "These two cards are not joined in one conversion" "Convert in two steps where the cards allow it; the detail says what keeps `card` from being passed through.";
    NotASandbox 404 "not-a-sandbox" "Only a sandbox has that" "Send it to the sandbox, with its own credentials: it has an address of its own.";
    NotEligible 422 "not-eligible" "The cards of this route are for others" "`needs` says for whom each is, in English and Traditional Chinese: another channel, or a fact that the named brand attests of the member.";
    NotEmployed 409 "not-employed" "The person does not work here" "`POST /v1/people` hires, under the same login.";
    NotFound 404 "not-found" "There is nothing here for you" "Check the id; what belongs to others looks the same as what does not exist.";
    NotInPilot 422 "not-in-pilot" "A partner in this is in a pilot that does not go that far" "`act` is what it does not open, `allows` what it does; `GET /v1/partners/{partner}/pilot` says all of it.";
    NotReversible 422 "not-reversible" "Operations of this kind are not reversed" "Awards, redemptions, conversions and captures can be; a hold is released.";
    NotYourCurrency 403 "not-your-currency" "Only its issuer may do that with a currency" "Use a currency that you issue.";
    NotYourself 403 "not-yourself" "Nobody does that to their own account" "Another operator has to do it.";
    NumberTaken 409 "number-taken" "That membership number is in use" "Look the member up by number.";
    PartnerCapReached 422 "partner-cap-reached" "You may not owe that much more" "`room` is how much more you may owe now, `needed` what this would cost. It grows when you are owed, or when the hub raises your cap. Without them it is a partner that pays for a bonus who may not.";
    PartnerCoverShort 422 "partner-cover-short" "Your cover is too little for that" "`room` is how much more your cover allows you to owe now, `needed` what this would count. It grows when you are owed, or when you give more cover to the hub. Without them it is a partner that pays for a bonus whose cover is too little.";
    PartnerOutstanding 409 "partner-outstanding" "Something of the partner is outstanding" "`available`, `held` and `owed` are points of its members in smallest units, `positions` how many moneys it owes or is owed: all have to be zero. Points expire by themselves after its last day.";
    PartnerState 422 "partner-state" "A partner in this is not in a state for that" "`state` is the one it is in, `act` what it does not allow; `GET /v1/partners/{partner}/status` says what it does.";
    PartnerStep 409 "partner-step" "No such step leads from the partner's state" "`state` is the one it is in, `next` are those it can go to.";
    PartnerSuspended 422 "partner-suspended" "A partner in this is suspended" "Try again when it is live; what is under way goes on.";
    PasswordSet 409 "password-set" "The person has a password" "`POST /v1/people/{person}/renew` takes it away, when it is lost.";
    PilotLimit 422 "pilot-limit" "A partner in this is in a pilot, and that is more than it takes" "Of an amount, `most` goes in one operation; of members, `members` are let in, and none joins until the pilot lets more.";
    QuoteExpired 410 "quote-expired" "The quote is too old" "Ask for a new quote.";
    QuoteInvalid 400 "quote-invalid" "The quote is not one of ours" "Send the token as it was issued, whole.";
    QuoteTaken 409 "quote-taken" "The quote was used already" "A quote is good for one conversion; the detail names it.";
    ReceiptTaken 409 "receipt-taken" "Points were awarded for that receipt before" "A receipt is good for one award of the issuer's points, whoever makes it, for ever.";
    ReferenceTaken 409 "reference-taken" "You used that reference before" "References are unique for ever; look the operation up with ?reference=.";
    RequestLimitExceeded 429 "request-limit-exceeded" "You ask more often than you may" "Wait `retry_after` seconds, then send the same request with the same key. `RateLimit` on every answer says how many are left; an operator may give you more.";
    ReversalSpent 422 "reversal-spent" "What would be taken back is spent" "`held` is what is left of `needed`. With `receivable` the wallet owes the rest, where that may be said.";
    RouteUnknown 404 "route-unknown" "There is no such address" "`/docs` lists what there is.";
    SecondFactorEnrolled 409 "second-factor-enrolled" "You have a second factor already" "An operator can renew your way in when the authenticator is lost.";
    SecondFactorMissing 403 "second-factor-missing" "Enrol a second factor first" "`POST /v1/me/second-factor` gives a secret for an authenticator; until a code of it is confirmed you may read, and do nothing.";
    SignInFailed 401 "sign-in-failed" "That did not prove who you are" "Check the login and password, or the client id and secret.";
    SigningKeyTooYoung 409 "signing-key-too-young" "The key of access tokens was rotated just now" "Wait until half an hour has passed since: two keys are live at most, and a token keeps for 15 minutes.";
    SponsorBudgetUsedUp 422 "sponsor-budget-used-up" "What is left of the sponsor's budget is less than its share" "Convert less, or agree on another version of the card. `left` is what the sponsor can still pay.";
    StepUpNeeded 403 "step-up-needed" "That needs a fresh proof of who you are" "Send a code to `POST /v1/sessions/current/step-up`, then the same request with the same key; a proof counts for ten minutes.";
    TooBusy 503 "too-busy" "The hub has more to do than it can" "Wait as Retry-After says, then send the same request with the same key.";
    TooManyRequests 429 "too-many-requests" "That was too often" "Wait `retry_after` seconds before the next one.";
    Unauthenticated 401 "unauthenticated" "This needs a valid access token" "Get one at /oauth/token or /v1/sessions and send it as `Authorization: Bearer`.";
    Unavailable 503 "unavailable" "The hub cannot reach its database" "Wait as Retry-After says, then send the same request with the same key.";
    UnsupportedMediaType 415 "unsupported-media-type" "The body is of another kind than expected" "Send `Content-Type: application/json`.";
    WebhookCheckFailed 409 "webhook-check-failed" "The endpoint did not do what it should with a test event" "The detail names the event, and `letters` what came of each: take with 2xx what is signed as it should be, refuse with 4xx what is not.";
    WebhookEndpointDisabled 409 "webhook-endpoint-disabled" "The endpoint is disabled" "Enable it first: change its `enabled` to true.";
    WebhookEndpointLimit 409 "webhook-endpoint-limit" "There are as many endpoints as a partner may have" "Remove one first: a partner has at most 10.";
    WindowClosed 409 "window-closed" "That window is closed already" "The detail names the open one.";
    Broken 500 "broken" "Something broke on our side" "Tell us the request id. Sending the same request with the same key again is safe.";
}

/// One line of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub name: Slug,
    pub slug: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub advice: &'static str,
}

impl Slug {
    pub fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize]
    }
}

/// What the caller is told.
#[derive(Debug, Clone)]
pub struct Problem {
    pub slug: Slug,
    pub detail: String,
    /// Which fields were wrong, as JSON pointers (RFC 6901) with the rule.
    pub errors: Vec<FieldError>,
    /// Facts a program may want, beside the standard members.
    pub facts: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    pub pointer: String,
    pub detail: String,
}

impl Problem {
    pub fn new(slug: Slug, detail: impl Into<String>) -> Problem {
        Problem {
            slug,
            detail: detail.into(),
            errors: Vec::new(),
            facts: Map::new(),
        }
    }

    /// One field of the body and the rule it breaks.
    pub fn field(pointer: impl Into<String>, rule: impl Into<String>) -> Problem {
        let (pointer, detail) = (pointer.into(), rule.into());
        Problem {
            errors: vec![FieldError {
                pointer: pointer.clone(),
                detail: detail.clone(),
            }],
            ..Problem::new(Slug::InvalidField, format!("{pointer}: {detail}"))
        }
    }

    pub fn with(mut self, name: &str, fact: impl Into<Value>) -> Problem {
        self.facts.insert(name.to_owned(), fact.into());
        self
    }
}

/// How a use case fails.
#[derive(Debug)]
pub enum Error {
    Refused(Problem),
    Broken(anyhow::Error),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Error {
        Error::Refused(problem)
    }
}

impl From<anyhow::Error> for Error {
    fn from(cause: anyhow::Error) -> Error {
        Error::Broken(cause)
    }
}

impl From<diesel::result::Error> for Error {
    /// What passes by itself is told as that: the caller waits and sends the same again.
    fn from(cause: diesel::result::Error) -> Error {
        match passing(&cause) {
            Some(slug) => {
                tracing::warn!(%cause, "the database refuses for now");
                Problem::new(slug, slug.entry().title).into()
            }
            None => Error::Broken(cause.into()),
        }
    }
}

/// The problem of a failure that is nobody's fault and does not stay. Diesel tells few of
/// PostgreSQL's codes; the texts are those of its messages.
fn passing(cause: &diesel::result::Error) -> Option<Slug> {
    use diesel::result::DatabaseErrorKind::{
        ClosedConnection, ReadOnlyTransaction, SerializationFailure, UnableToSendCommand,
    };
    use diesel::result::Error as Cause;
    const AWAY: [&str; 4] = [
        "terminating connection",
        "the database system is",
        "too many clients",
        "remaining connection slots",
    ];
    const IN_THE_WAY: [&str; 3] = [
        "deadlock detected",
        "due to statement timeout",
        "due to lock timeout",
    ];

    let Cause::DatabaseError(kind, info) = cause else {
        let is_lost = matches!(
            cause,
            Cause::BrokenTransactionManager | Cause::AlreadyInTransaction
        );
        return is_lost.then_some(Slug::Unavailable);
    };
    let says = |texts: &[&str]| texts.iter().any(|text| info.message().contains(text));
    match kind {
        ClosedConnection | UnableToSendCommand | ReadOnlyTransaction => Some(Slug::Unavailable),
        SerializationFailure => Some(Slug::TooBusy),
        _ if says(&AWAY) => Some(Slug::Unavailable),
        _ if says(&IN_THE_WAY) => Some(Slug::TooBusy),
        _ => None,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(problem) => {
                write!(f, "{}: {}", problem.slug.entry().slug, problem.detail)
            }
            Error::Broken(cause) => write!(f, "{cause:#}"),
        }
    }
}

impl std::error::Error for Error {}

/// Turns the violation of a named constraint into a refusal, so that nothing has to be checked
/// before it is inserted.
pub fn on_constraint<T>(
    result: Result<T, diesel::result::Error>,
    constraint: &str,
    refusal: impl FnOnce() -> Problem,
) -> Result<T, Error> {
    match result {
        Err(diesel::result::Error::DatabaseError(_, ref info))
            if info.constraint_name() == Some(constraint) =>
        {
            Err(refusal().into())
        }
        other => other.map_err(Error::from),
    }
}

/// The same for a statement that several constraints may refuse.
pub fn on_constraints<T>(
    result: Result<T, diesel::result::Error>,
    refusals: &[(&str, &dyn Fn() -> Problem)],
) -> Result<T, Error> {
    if let Err(diesel::result::Error::DatabaseError(_, info)) = &result
        && let Some(name) = info.constraint_name()
        && let Some((_, refusal)) = refusals.iter().find(|(constraint, _)| *constraint == name)
    {
        return Err(refusal().into());
    }
    result.map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_in_order_and_says_each_thing_once() {
        for (place, entry) in CATALOGUE.iter().enumerate() {
            assert_eq!(entry.name as usize, place, "{}", entry.slug);
            assert_eq!(
                CATALOGUE
                    .iter()
                    .filter(|other| other.slug == entry.slug)
                    .count(),
                1,
                "{}",
                entry.slug
            );
        }
    }
}
