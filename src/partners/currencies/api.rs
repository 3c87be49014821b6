//! Currencies over HTTP.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::access::{AnyRole, AnyScope, Operator, OrMember, Reader, Staff};
use crate::clock::Timestamp;
use crate::db::Pool;
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::currency::{DisplayValue, Keeper, NoticeDays};
use crate::partners::expiry::{ExpiryPolicy, Period};
use crate::partners::{Currency, Directories, Directory, NewCurrency};
use crate::points::amount::Scale;
use crate::secret::Secrets;
use crate::web::body::object;
use crate::web::text::{Code, Name};
use crate::web::{Page, Paging, ProblemBody, Query, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/currencies")
            .route(web::get().to(list))
            .route(web::post().to(issue)),
    )
    .service(web::resource("/v1/currencies/{code}").route(web::get().to(one)));
}

#[derive(OpenApi)]
#[openapi(
    paths(list, one, issue),
    components(schemas(IssueCurrency, CurrencyBody, ExpiryPolicy, Keeper, Period, ProblemBody)),
    tags((name = "currencies", description = "What partners issue."))
)]
pub struct Doc;

/// A currency to be issued. Code, scale and who keeps its balances never change afterwards.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueCurrency {
    #[schema(value_type = String, example = "MILE", pattern = "^[A-Z][A-Z0-9]{1,15}$")]
    code: Code,
    #[schema(value_type = String, example = "Aero Miles")]
    name: Name,
    /// The name in Chinese.
    #[schema(value_type = Option<String>, example = "航翼里數")]
    name_zh: Option<Name>,
    /// How many decimals amounts have.
    #[schema(value_type = u8, minimum = 0, maximum = 4)]
    scale: Scale,
    /// The id of the partner that issues it.
    #[schema(example = "ptr_0123456789abcdef")]
    issuer: String,
    #[serde(deserialize_with = "object")]
    expiry: ExpiryPolicy,
    /// How many days before a lot expires its issuer is told, by `lot.expiring`: up to five numbers of 1 to
    /// 366. When left out, 30 and 7; none when empty.
    #[serde(default)]
    #[schema(value_type = Option<Vec<i16>>, example = json!([30, 7]))]
    expiry_notice_days: NoticeDays,
    /// What one printed unit is worth to a member, in the issuer's money.
    #[schema(value_type = String, example = "0.014")]
    display_value: DisplayValue,
    /// Who keeps the members' balances: `hub` when left out; or `partner`, the issuer, whose units come in
    /// with /v1/transfers.
    #[serde(default)]
    kept_by: Keeper,
}

/// A currency.
#[derive(Serialize, ToSchema)]
pub struct CurrencyBody {
    #[schema(example = "MILE")]
    pub code: String,
    pub name: String,
    pub name_zh: Option<String>,
    /// How many decimals amounts have.
    pub scale: u8,
    /// The id of the partner that issues it.
    pub issuer: String,
    pub expiry: ExpiryPolicy,
    /// How many days before a lot expires its issuer is told, by `lot.expiring`.
    #[schema(value_type = Vec<i16>, example = json!([30, 7]))]
    pub expiry_notice_days: NoticeDays,
    /// What one printed unit is worth to a member, in `display_money`.
    #[schema(example = "0.014")]
    pub display_value: String,
    /// The issuer's money.
    #[schema(example = "USD")]
    pub display_money: String,
    /// Who keeps the members' balances: the `hub`, or the `partner` that issues it.
    pub kept_by: Keeper,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

fn show(ids: &Ids, directory: &Directory, currency: &Currency) -> CurrencyBody {
    CurrencyBody {
        code: currency.code.clone(),
        name: currency.name.clone(),
        name_zh: currency.name_zh.clone(),
        scale: currency.scale.decimals(),
        issuer: ids.show(Kind::Partner, currency.issuer),
        expiry: currency.expiry,
        expiry_notice_days: currency.notice_days.clone(),
        display_value: currency.display_value.into(),
        display_money: directory
            .money_of(currency.issuer)
            .map(|money| money.code.clone())
            .unwrap_or_default(),
        kept_by: currency.kept_by,
        created_at: currency.created_at,
    }
}

/// Issue a currency
#[utoipa::path(
    post, path = "/v1/currencies", operation_id = "issueCurrency", tag = "currencies",
    description = "By an operator, for a partner. Members of the partner get a wallet in it when they first need one.",
    security(("person" = ["operator"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = IssueCurrency,
    extensions(("x-problems" = json!(["code-taken", "not-in-pilot", "partner-state", "partner-suspended"]))),
    responses((status = 201, description = "The currency.", body = CurrencyBody))
)]
async fn issue(
    staff: Staff<Operator>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    write: Write<IssueCurrency>,
) -> Result<HttpResponse, Error> {
    let claim = staff.who.claim(&secrets, &write);
    let IssueCurrency {
        code,
        name,
        name_zh,
        scale,
        issuer,
        expiry,
        expiry_notice_days,
        display_value,
        kept_by,
    } = write.body;

    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let unknown = || Problem::field("/issuer", "the id of a partner");
        let partner = ids
            .read(Kind::Partner, &issuer)
            .and_then(|id| directory.partner(id))
            .ok_or_else(unknown)?;
        let new = NewCurrency {
            code,
            name,
            name_zh,
            scale,
            issuer: partner.id,
            expiry,
            notice_days: expiry_notice_days,
            display_value,
            kept_by,
        };
        let currency = super::issue(conn, &staff.who, partner, new).await?;
        Ok(show(&ids, &directory, &currency))
    })
    .await
}

/// List currencies
#[utoipa::path(
    get, path = "/v1/currencies", operation_id = "listCurrencies", tag = "currencies",
    description = "All currencies of the coalition, oldest first.",
    security(("partner" = []), ("member" = []), ("person" = [])),
    params(Paging),
    responses((status = 200, description = "A page of currencies.", body = Page<CurrencyBody>))
)]
async fn list(
    _reader: Reader<OrMember<AnyScope>, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    paging: Query<Paging>,
) -> Result<web::Json<Page<CurrencyBody>>, Error> {
    let (limit, after) = (
        paging.0.limit()?,
        paging.0.after(&ids, "currencies")?.unwrap_or(0),
    );

    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    let mut rows = directory.currencies();
    rows.retain(|currency| i64::from(currency.no) > after);
    let no = |currency: &&Arc<Currency>| i64::from(currency.no);
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "currencies",
        no,
        |currency| show(&ids, &directory, currency),
    )))
}

/// Look up a currency
#[utoipa::path(
    get, path = "/v1/currencies/{code}", operation_id = "getCurrency", tag = "currencies",
    description = "By its code.",
    security(("partner" = []), ("member" = []), ("person" = [])),
    params(("code" = String, Path, description = "The currency's code.")),
    responses((status = 200, description = "The currency.", body = CurrencyBody))
)]
async fn one(
    _reader: Reader<OrMember<AnyScope>, AnyRole>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    code: Path<String>,
) -> Result<web::Json<CurrencyBody>, Error> {
    let (_, directory) = directories.current(&mut *pool.get().await?).await?;
    let unknown = || Problem::new(Slug::NotFound, "there is no such currency");
    let currency = directory.currency(&code).ok_or_else(unknown)?;
    Ok(web::Json(show(&ids, &directory, currency)))
}
