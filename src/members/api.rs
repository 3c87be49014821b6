//! Members over HTTP. A partner sees its own members, and of each its own membership.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Path, ServiceConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::link::{BadLink, Links};
use super::{Membership, claims};
use crate::access::{Acted, MembersRead, MembersWrite, OrMember, Partner};
use crate::clock::Timestamp;
use crate::db::{self, Pool};
use crate::error::{Error, Problem, Slug};
use crate::id::{Ids, Kind};
use crate::secret::Secrets;
use crate::web::text::Number;
use crate::web::{Page, Paging, ProblemBody, Query, ReadProblems, Write, WriteProblems, once};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/v1/members")
            .route(web::get().to(list))
            .route(web::post().to(enrol)),
    )
    .service(web::resource("/v1/members/{member}").route(web::get().to(one)))
    .service(web::resource("/v1/members/{member}/memberships").route(web::get().to(memberships)))
    .service(web::resource("/v1/members/{member}/link-tokens").route(web::post().to(make_link)))
    .service(web::resource("/v1/memberships").route(web::post().to(join)));
    claims::api::routes(cfg);
}

#[derive(OpenApi)]
#[openapi(
    paths(list, one, memberships, enrol, make_link, join),
    components(schemas(
        NewMember,
        NewMembership,
        MemberBody,
        MembershipBody,
        MembershipsBody,
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
}

/// What links a member to a programme.
#[derive(Serialize, ToSchema)]
pub struct MembershipBody {
    #[schema(example = "mbs_0123456789abcdef")]
    pub id: String,
    /// The partner whose programme it is.
    #[schema(example = "ptr_0123456789abcdef")]
    pub partner: String,
    /// The number there; null where it is another partner's to know.
    #[schema(example = "AE-100001")]
    pub number: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: Timestamp,
}

/// A member's memberships.
#[derive(Serialize, ToSchema)]
pub struct MembershipsBody {
    pub items: Vec<MembershipBody>,
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
        BadLink::TooOld => Problem::new(
            Slug::LinkExpired,
            "this link token was good for ten minutes",
        ),
    }
}

/// The member that a link token is for.
pub fn linked(secrets: &Secrets, ids: &Ids, token: &str, now: Timestamp) -> Result<i64, Problem> {
    let shown = Links::new(&secrets.quotes).read(token, now);
    let member = shown.map_err(refused)?;
    let member = ids.read(Kind::Member, &member);
    member.ok_or_else(|| refused(BadLink::NotOurs))
}

/// Enrol a member
#[utoipa::path(
    post, path = "/v1/members", operation_id = "enrolMember", tag = "members",
    description = "A new member with a membership of yours and one wallet for each currency you issue. When another partner knows the member already, link a membership instead.",
    security(("partner" = ["members:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewMember,
    responses((status = 201, description = "The member.", body = MemberBody), WriteProblems)
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
    description = "Links a member of another partner, who brings a link token from there, to your programme.",
    security(("partner" = ["members:write"])),
    params(("Idempotency-Key" = String, Header, description = "A fresh random value for each new write.")),
    request_body = NewMembership,
    responses((status = 201, description = "The member, now also yours.", body = MemberBody), WriteProblems)
)]
async fn join(
    caller: Partner<MembersWrite>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    write: Write<NewMembership>,
) -> Result<HttpResponse, Error> {
    let claim = caller.who.claim(&secrets, &write);
    let NewMembership { link_token, number } = write.body;
    once(&pool, claim, StatusCode::CREATED, async |conn| {
        let member = linked(&secrets, &ids, &link_token, db::now(conn).await?)?;
        let membership = super::join(conn, &caller.who, member, caller.partner, &number).await?;
        Ok(show(&ids, &membership))
    })
    .await
}

/// Make a link token
#[utoipa::path(
    post, path = "/v1/members/{member}/link-tokens", operation_id = "makeLinkToken", tag = "members",
    description = "For a member of yours to carry to another partner, within ten minutes. Changes nothing, so it needs no Idempotency-Key and no body.",
    security(("partner" = ["members:write"]), ("member" = ["members:write"])),
    params(("member" = String, Path, description = "The member's id.")),
    responses((status = 201, description = "The token.", body = LinkBody), WriteProblems)
)]
async fn make_link(
    caller: Partner<OrMember<MembersWrite>>,
    ids: Data<Ids>,
    secrets: Data<Secrets>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<HttpResponse, Error> {
    let member = own(&ids, caller.who.acted(), &path)?;
    let mut conn = pool.get().await?;
    if !super::is_member_of(&mut conn, member, caller.partner).await? {
        return Err(unknown().into());
    }
    let now = db::now(&mut conn).await?;
    let link = Links::new(&secrets.quotes).make(ids.show(Kind::Member, member), now)?;
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
    responses((status = 200, description = "A page of members.", body = Page<MemberBody>), ReadProblems)
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
    responses((status = 200, description = "The member.", body = MemberBody), ReadProblems)
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

/// List a member's memberships
#[utoipa::path(
    get, path = "/v1/members/{member}/memberships", operation_id = "listMemberships", tag = "members",
    description = "A partner reads its own membership of its member. A member reads all it has, with the number of the partner that acts: brands never learn each other's numbers.",
    security(("partner" = ["members:read"]), ("member" = ["members:read"])),
    params(("member" = String, Path, description = "The member's id.")),
    responses((status = 200, description = "The memberships.", body = MembershipsBody), ReadProblems)
)]
async fn memberships(
    caller: Partner<OrMember<MembersRead>>,
    ids: Data<Ids>,
    pool: Data<Pool>,
    path: Path<String>,
) -> Result<web::Json<MembershipsBody>, Error> {
    let acted = caller.who.acted();
    let member = own(&ids, acted, &path)?;
    let mut found = super::all_memberships(&mut *pool.get().await?, member).await?;
    let is_own = |membership: &Membership| membership.partner == caller.partner;
    if !found.iter().any(is_own) {
        return Err(unknown().into());
    }
    found.retain(|membership| acted.is_some() || is_own(membership));
    let body = |membership: Membership| MembershipBody {
        id: ids.show(Kind::Membership, membership.id),
        partner: ids.show(Kind::Partner, membership.partner),
        number: is_own(&membership).then_some(membership.number),
        joined_at: membership.joined_at,
    };
    Ok(web::Json(MembershipsBody {
        items: found.into_iter().map(body).collect(),
    }))
}
