//! Members over HTTP. A partner sees its own members, and of each its own membership.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::link::{BadLink, Links, Shown};
use super::{Membership, claims};
use crate::access::{Acted, MembersRead, MembersWrite, OrMember, Partner};
use crate::clock::Timestamp;
use crate::db::{self, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::partners::{self, Directories};
use crate::secret::Secrets;
use crate::web::text::Number;
use crate::web::{Json, Page, Paging, ProblemBody, Query, Write, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/members")
            .route(web::get().to(list))
            .route(web::post().to(enrol)),
    )
    .service(web::resource("/v1/members/{member}").route(web::get().to(one)))
    .service(web::resource("/v1/members/{member}/link-tokens").route(web::post().to(make_link)))
    .service(web::resource("/v1/memberships").route(web::post().to(link)))
    .service(web::resource("/v1/memberships/{membership}/unlink").route(web::post().to(unlink)));
    claims::api::routes(cfg);
}

#[derive(OpenApi)]
#[openapi(
    paths(list, one, enrol, make_link, link, unlink),
    components(schemas(
        NewMember,
        NewLink,
        NewMembership,
        Unlinking,
        MemberBody,
        LinkBody,
        ProblemBody
    )),
    tags((name = "members", description = "Who holds which memberships."))
)]
pub struct Doc;

/// A member to be enrolled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// The number that your programme gave the member.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "AE-100001")]
    number: Number,
}

/// The brand that a member shall be linked to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// The code of the partner that the member carries it to; `/v1/partners` lists them.
    #[schema(example = "BAYVIEW")]
    partner: String,
}

/// No fields.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlinking {}

/// A membership for a member that another partner knows already.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMembership {
    /// What the member brought from the other partner.
    link_token: String,
    /// The number that your programme gave the member.
    #[schema(value_type = String, min_length = 1, max_length = 64, example = "BV-77")]
    number: Number,
}

/// A member, as you know it.
#[derive(Serialize, ToSchema)]
pub struct MemberBody {
    #[schema(example = "mem_0123456789abcdef")]
    pub id: String,
    /// The id of the membership with you.
    #[schema(example = "mbs_0123456789abcdef")]
    pub membership: String,
    /// The member's number in your programme.
    #[schema(example = "AE-100001")]
    pub number: String,
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: Timestamp,
    /// When a link made the membership this member's; null when no link did, or it has ended. A link between two
    /// brands is as old as the membership of the two that was linked last: see `link-terms`.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub linked_at: Option<Timestamp>,
}

/// A link token.
#[derive(Serialize, ToSchema)]
pub struct LinkBody {
    /// For the member to carry to the other partner.
    pub link_token: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Which members to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Only the member with this number in your programme.
    #[param(value_type = Option<String>)]
    number: Option<Number>,
    /// `next_cursor` of the page before. Leave it out for the first page.
    cursor: Option<String>,
    /// How many to return: 1 to 200, 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

fn show(ids: &Ids, membership: &Membership) -> MemberBody {
    MemberBody {
        id: ids.show(Kind::Member, membership.member),
        membership: ids.show(Kind::Membership, membership.id),
        number: membership.number.clone(),
        joined_at: membership.joined_at,
        linked_at: membership.linked_at,
    }
}

pub(super) fn unknown() -> Problem {
    Problem::new(Slug::NotFound, "you have no such member")
}

/// The id of a member; when a partner acts for one, of that one only.
pub(super) fn own(ids: &Ids, acted: Option<Acted>, text: &str) -> Result<i64, Problem> {
    let member = ids.read(Kind::Member, text);
    let is_own = |member: &i64| acted.is_none_or(|acted| acted.member == *member);
    member.filter(is_own).ok_or_else(unknown)
}

fn refused(bad: BadLink) -> Problem {
    match bad {
        BadLink::NotOurs => Problem::new(
            Slug::LinkInvalid,
            "this link token was not made by this hub",
        ),
        BadLink::NotYours => Problem::new(
            Slug::LinkInvalid,
            "this link token is for another partner; the member asks for one that is for you",
        ),
        BadLink::TooOld => Problem::new(
            Slug::LinkExpired,
            "this link token was good for ten minutes",
        ),
    }
}

/// The member that a link token is for.
pub fn linked(
    (secrets, ids): (&Secrets, &Ids),
    brand: &str,
    token: &str,
    now: Timestamp,
) -> Result<(i64, Shown), Problem> {
    let shown = Links::new(&secrets.quotes).read(token, brand, now);
    let shown = shown.map_err(refused)?;
    let member = ids.read(Kind::Member, &shown.member);
    let member = member.ok_or_else(|| refused(BadLink::NotOurs))?;
    Ok((member, shown))
}

/// Enrol a member
#[utoipa::path(
    post, path = "/v1/members", operation_id = "enrolMember", tag = "members",
    description = "A new member with a membership of yours and one wallet for each currency you issue. When another partner knows the member already, link a membership instead.",
    security(("partner" = ["members:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewMember,
    extensions(("x-problems" = json!(["number-taken", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit"]))),
    responses((status = 201, description = "The member.", body = MemberBody))
)]
async fn enrol(
    caller: Partner<MembersWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    write: Write<NewMember>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let membership =
            super::enrol(conn, &caller.who, caller.partner, &write.body.number).await?;
        Ok(show(&ids, &membership))
    })
    .await
}

/// Link a membership
#[utoipa::path(
    post, path = "/v1/memberships", operation_id = "linkMembership", tag = "members",
    description = "Links a member of another partner, who brings a link token for you from there, to your programme; the token is good once. Say the member's number with you only once you know that it is the same person's. A number that you have enrolled already and that is linked nowhere else becomes this member's, with its points; it is then found under the id in the answer.",
    security(("partner" = ["members:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewMembership,
    extensions(("x-problems" = json!(["already-member", "link-expired", "link-invalid", "link-used", "not-found",
        "number-taken", "not-in-pilot", "partner-state", "partner-suspended", "pilot-limit"]))),
    responses((status = 201, description = "The member, now also yours.", body = MemberBody))
)]
async fn link(
    caller: Partner<MembersWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    write: Write<NewMembership>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let NewMembership { link_token, number } = write.body;
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let (_, directory) = directories.current(conn).await?;
        let brand = directory.partner(caller.partner).ok_or_else(unknown)?;
        let now = db::now(conn).await?;
        let (member, shown) = linked((&secrets, &ids), &brand.code, &link_token, now)?;
        let whom = (member, &shown);
        let membership = super::link(conn, &caller.who, whom, caller.partner, &number).await?;
        Ok(show(&ids, &membership))
    })
    .await
}

/// Unlink a membership
#[utoipa::path(
    post, path = "/v1/memberships/{membership}/unlink", operation_id = "unlinkMembership", tag = "members",
    description = "Ends the link of a membership of yours with the member's memberships of other partners; a member ends that with the partner that acts. It goes on by itself, with its number, its claims and its points, which stay where they are, and is found under the member's id in the answer; it can be linked again. The other partners are not told. Tokens that act for the member in your programme are over at once.",
    security(("partner" = ["members:write"]), ("member" = ["members:write"])),
    params(("membership" = String, Path, description = "The id of the membership."),
        ("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = Unlinking,
    extensions(("x-problems" = json!(["membership-alone"]))),
    responses((status = 200, description = "The member, by itself.", body = MemberBody))
)]
async fn unlink(
    caller: Partner<OrMember<MembersWrite>>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    path: Path<String>,
    write: Write<Unlinking>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let acted = caller.who.acted();
    let is_own = |id: &i64| acted.is_none_or(|acted| acted.membership == *id);
    let unknown = || Problem::new(Slug::NotFound, "you have no such membership");
    let id = ids.read(Kind::Membership, &path).filter(is_own);
    let id = id.ok_or_else(unknown)?;
    once(&pool, claim, StatusCode::OK, async |conn| {
        let membership = super::unlink(conn, &caller.who, caller.partner, id).await?;
        Ok(show(&ids, &membership.ok_or_else(unknown)?))
    })
    .await
}

/// Make a link token
#[utoipa::path(
    post, path = "/v1/members/{member}/link-tokens", operation_id = "makeLinkToken", tag = "members",
    description = "For a member of yours to carry to the partner you name, which it is good for once and within ten minutes. Changes nothing, so it needs no Idempotency-Key.",
    security(("partner" = ["members:write"]), ("member" = ["members:write"])),
    params(("member" = String, Path, description = "The member's id.")),
    request_body = NewLink,
    responses((status = 201, description = "The token.", body = LinkBody))
)]
async fn make_link(
    caller: Partner<OrMember<MembersWrite>>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    directories: Data<Directories>,
    path: Path<String>,
    Json(body): Json<NewLink>,
) -> Result<HttpResponse, Error> {
    let member = own(&ids, caller.who.acted(), &path)?;
    let mut conn = pool.get().await?;
    if !super::is_member_of(&mut conn, member, caller.partner).await? {
        return Err(unknown().into());
    }
    let (_, directory) = directories.current(&mut conn).await?;
    let is_another = |partner: &&&partners::Partner| {
        partner.code == body.partner && partner.id != caller.partner
    };
    let partners = directory.partners();
    let brand = partners.iter().find(is_another).ok_or_else(|| {
        let rule = "the code of another partner; /v1/partners lists them";
        Problem::field("/partner", rule)
    })?;
    let now = db::now(&mut conn).await?;
    let shown = ids.show(Kind::Member, member);
    let link = Links::new(&secrets.quotes).make(shown, brand.code.clone(), now)?;
    Ok(HttpResponse::Created().json(LinkBody {
        link_token: link.token,
        expires_at: link.expires_at,
    }))
}

/// List members
#[utoipa::path(
    get, path = "/v1/members", operation_id = "listMembers", tag = "members",
    description = "Your members, in the order they joined; or the one with a number.",
    security(("partner" = ["members:read"])),
    params(Wanted),
    responses((status = 200, description = "A page of members.", body = Page<MemberBody>))
)]
async fn list(
    caller: Partner<MembersRead>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    wanted: Query<Wanted>,
) -> Result<web::Json<Page<MemberBody>>, Error> {
    let Wanted {
        number,
        cursor,
        limit,
    } = wanted.0;
    let paging = Paging { cursor, limit };
    let (limit, after) = (paging.limit()?, paging.after(&ids, "members")?.unwrap_or(0));

    let rows = super::list(
        &mut *pool.get().await?,
        caller.partner,
        number.as_ref(),
        after,
        limit,
    )
    .await?;
    Ok(web::Json(Page::of(
        rows,
        limit,
        &ids,
        "members",
        |row| row.id,
        |row| show(&ids, row),
    )))
}

/// Look up a member
#[utoipa::path(
    get, path = "/v1/members/{member}", operation_id = "getMember", tag = "members",
    description = "One of your members; for a member, itself as the partner knows it that acts. What belongs to others looks the same as what does not exist.",
    security(("partner" = ["members:read"]), ("member" = ["members:read"])),
    params(("member" = String, Path, description = "The member's id.")),
    responses((status = 200, description = "The member.", body = MemberBody))
)]
async fn one(
    caller: Partner<OrMember<MembersRead>>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<MemberBody>, Error> {
    let member = own(&ids, caller.who.acted(), &path)?;
    let found = super::find(&mut *pool.get().await?, member, caller.partner).await?;
    Ok(web::Json(show(&ids, &found.ok_or_else(unknown)?)))
}
