//! Why a request wasn't answered as asked, mapped once to a status, plain words and, for our own failures, an incident id that
//! the log has too.

use super::{
    Console,
    api::problem,
    layout::{Frame, page},
    limits::RETRY_SECONDS,
    page::title,
    words::{Lang, Words},
};
use crate::{
    access::{
        ended::Ended,
        refusal::{AccessError, Refusal},
    },
    catalog::CatalogueError,
    domain::{id::new_id, random::RandomError},
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::html;

/// What went wrong. Detail goes to the log, plain words to the peer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The request makes no sense: what about it.
    #[error("bad request")]
    BadRequest(Words),
    /// A program's field can't be taken: which, and why.
    #[error("the field {0} can't be taken")]
    Field(String, Words),
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    SignedOut,
    /// A program showed no token, or sent one that doesn't count.
    #[error("no token that counts")]
    Token {
        /// Whether there was one.
        sent: bool,
    },
    /// The person may not: why.
    #[error("denied")]
    Denied(Words),
    /// The access desk says no: why.
    #[error("{}", .0.id())]
    Refused(Refusal),
    /// A stored object isn't what was sealed: which, and where.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It wasn't sent from a page of ours, or from one that is too old.
    #[error("the request wasn't sent from a page of this console")]
    Forged,
    /// There is nothing here, or nothing that this person may know of.
    #[error("not found")]
    NotFound,
    /// There is something here, but not for this method.
    #[error("method not allowed")]
    Method,
    /// The body took too long.
    #[error("the body took too long")]
    TooSlow,
    /// The body is larger than the route takes, in bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// Too many tries; seconds to wait.
    #[error("too many tries")]
    TooMany(u32),
    /// No handler came free in time.
    #[error("too busy")]
    Busy,
    /// It is our failure.
    #[error(transparent)]
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    /// A failure of our own; the error goes to the log.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Fault::Internal(error.into())
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        match self {
            Fault::BadRequest(_) | Fault::Field(..) => StatusCode::BAD_REQUEST,
            Fault::SignedOut | Fault::Token { .. } => StatusCode::UNAUTHORIZED,
            Fault::Denied(_) | Fault::Forged => StatusCode::FORBIDDEN,
            Fault::NotFound => StatusCode::NOT_FOUND,
            Fault::Refused(refusal) => status(*refusal),
            Fault::Damaged(_) => status(Refusal::Damaged),
            Fault::Method => StatusCode::METHOD_NOT_ALLOWED,
            Fault::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Fault::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Fault::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A word for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Fault::BadRequest(_) => "bad_request",
            Fault::Field(..) => "bad_field",
            Fault::SignedOut => "signed_out",
            Fault::Token { sent: false } => "no_token",
            Fault::Token { sent: true } => "bad_token",
            Fault::Denied(_) => "denied",
            Fault::Forged => "forged",
            Fault::NotFound => "not_found",
            Fault::Refused(refusal) => refusal.id(),
            Fault::Damaged(_) => Refusal::Damaged.id(),
            Fault::Method => "method_not_allowed",
            Fault::TooSlow => "too_slow",
            Fault::TooLarge(_) => "too_large",
            Fault::TooMany(_) => "too_many",
            Fault::Busy => "busy",
            Fault::Internal(_) => "internal",
        }
    }

    pub(super) fn heading(&self, lang: Lang) -> &'static str {
        match self {
            Fault::Token { .. } => lang.of("令牌无效", "This takes a token that counts"),
            Fault::BadRequest(_) | Fault::Field(..) => lang.of("请求无法处理", "This request makes no sense"),
            Fault::SignedOut => lang.of("请先登录", "Please sign in"),
            Fault::Refused(refusal) => refused_heading(*refusal, lang),
            Fault::Damaged(_) => refused_heading(Refusal::Damaged, lang),
            Fault::Denied(_) => lang.of("您无权进行此操作", "You may not do this"),
            Fault::Forged => lang.of("页面已失效", "This page is out of date"),
            Fault::NotFound => lang.of("页面不存在", "There is nothing here"),
            Fault::Method => lang.of("此地址不支持这种操作", "This address doesn't take that"),
            Fault::TooSlow => lang.of("接收超时", "That took too long"),
            Fault::TooLarge(_) => lang.of("提交的内容过大", "That is too large"),
            Fault::TooMany(_) => lang.of("尝试次数过多", "Too many tries"),
            Fault::Busy => lang.of("系统繁忙", "The system is busy"),
            Fault::Internal(_) => lang.of("系统内部错误", "Something failed on our side"),
        }
    }

    pub(super) fn explanation(&self, lang: Lang) -> String {
        match self {
            Fault::Token { sent: false } => lang
                .of(
                    "请在 Authorization 字段中提供令牌（Bearer mnt_…）。登录控制台的会话在此无效。",
                    "Send a token in the field Authorization (Bearer mnt_…). A session of the console doesn't count here.",
                )
                .to_owned(),
            Fault::Token { sent: true } => lang
                .of(
                    "令牌有误、已到期或已被撤销。请在控制台的“我的账户”中签发新的令牌。",
                    "The token is wrong, ended or revoked. Its person issues a new one under My account of the console.",
                )
                .to_owned(),
            Fault::BadRequest(words) | Fault::Field(_, words) | Fault::Denied(words) => words.of(lang).to_owned(),
            Fault::Refused(refusal) => lang.of(refusal.zh(), refusal.en()).to_owned(),
            Fault::Damaged(what) => {
                let said = lang.of(Refusal::Damaged.zh(), Refusal::Damaged.en());
                format!("{said} ({what})")
            }
            Fault::SignedOut => lang.of("登录后才能访问。", "This is for people who are signed in.").to_owned(),
            Fault::Forged => lang
                .of(
                    "提交的内容不是从本系统的当前页面发出的，因此没有执行。请返回、刷新页面后重试。",
                    "What was sent didn't come from a current page of this console, so nothing was done. Go back, reload and try again.",
                )
                .to_owned(),
            Fault::NotFound => lang
                .of(
                    "地址有误，或者该内容不在您的查阅范围内。",
                    "The address is wrong, or what it names is not yours to see.",
                )
                .to_owned(),
            Fault::Method => lang.of("没有执行任何操作。", "Nothing was done.").to_owned(),
            Fault::TooSlow => lang
                .of("内容没有在规定时间内传完。请重试。", "It didn't arrive in time. Please try again.")
                .to_owned(),
            Fault::TooLarge(limit) => lang.of(
                format!("此处最多接收 {}。没有执行任何操作。", size(*limit)),
                format!("This takes {} at most. Nothing was done.", size(*limit)),
            ),
            Fault::TooMany(seconds) => lang.of(
                format!("请在 {seconds} 秒后重试。"),
                format!("Please try again in {seconds} seconds."),
            ),
            Fault::Busy => lang
                .of("请稍候几秒后重试。", "Please try again in a few seconds.")
                .to_owned(),
            Fault::Internal(_) => lang
                .of(
                    "操作没有完成。请将下面的编号告知系统管理员。",
                    "This wasn't done. Please tell the system administrator this number.",
                )
                .to_owned(),
        }
    }

    /// The answer: JSON for programs, a page for people. `route` is how the table writes the address.
    pub(super) fn answer(&self, console: &Console, frame: &Frame, route: &str, is_api: bool) -> Response {
        let incident = match self {
            Fault::Internal(error) => Some(incident(console, route, error.as_ref())),
            Fault::Damaged(what) => Some(incident(console, route, what)),
            _ => None,
        };
        let explanation = self.explanation(frame.lang);
        let mut response = if is_api {
            problem::answer(self, frame.lang, incident)
        } else {
            let heading = self.heading(frame.lang);
            let body = html! {
                section.fault {
                    p.fault-status { (self.status().as_u16()) }
                    (title(heading, None))
                    p { (explanation) }
                    @if let Some(incident) = &incident {
                        p.incident { (frame.lang.of("事件编号：", "Incident: ")) code { (incident) } }
                    }
                    @if frame.signed_in() {
                        p { a.button href="/" { (frame.lang.of("返回首页", "Go to the start page")) } }
                    }
                }
            };
            (self.status(), page(frame, heading, &body)).into_response()
        };
        let wait = match self {
            Fault::TooMany(seconds) => Some(*seconds),
            Fault::Busy | Fault::Refused(Refusal::TooMany | Refusal::Checking) => Some(RETRY_SECONDS),
            _ => None,
        };
        if let Some(seconds) = wait {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Logs a failure of ours and says under which number.
fn incident(console: &Console, route: &str, error: &dyn std::fmt::Display) -> String {
    let now_ms = console.clock.now_ms();
    // Without randomness the time has to do: a failure is never silent.
    let incident = new_id(console.random.as_ref(), now_ms).unwrap_or_else(|_| now_ms.to_string());
    tracing::error!(incident, route, %error, "a request to the console failed");
    incident
}

/// A limit as people read it.
fn size(bytes: usize) -> String {
    match bytes {
        0..1_048_576 => format!("{} KB", bytes / 1024),
        _ => format!("{} MB", bytes / 1_048_576),
    }
}

/// What a refusal of the access desk is in HTTP.
fn status(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::NotActive
        | Refusal::NotYourRole
        | Refusal::NotByToken
        | Refusal::OutOfScope
        | Refusal::OwnRequest
        | Refusal::Involved
        | Refusal::NoGrant
        | Refusal::ViewOnly => StatusCode::FORBIDDEN,
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::AlreadyDecided | Refusal::AlreadyEndorsed | Refusal::GrantEnded => StatusCode::CONFLICT,
        Refusal::NoBasis
        | Refusal::NoReason
        | Refusal::NoRecords
        | Refusal::TooManyRecords
        | Refusal::BadDuration
        | Refusal::Wider
        | Refusal::BadForm => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Locked | Refusal::IngestOnly => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::TooMany | Refusal::Checking => StatusCode::TOO_MANY_REQUESTS,
    }
}

fn refused_heading(refusal: Refusal, lang: Lang) -> &'static str {
    match status(refusal) {
        _ if refusal == Refusal::Checking => lang.of("核验正在进行", "A check is under way"),
        StatusCode::FORBIDDEN => lang.of("您无权进行此操作", "You may not do this"),
        StatusCode::CONFLICT => lang.of("已经处理过了", "That is settled already"),
        StatusCode::SERVICE_UNAVAILABLE => lang.of("暂时无法查阅", "Content is closed for now"),
        StatusCode::INTERNAL_SERVER_ERROR => lang.of("存储内容已损坏", "What is stored is damaged"),
        StatusCode::TOO_MANY_REQUESTS => lang.of("打开的查阅过多", "Too many readings"),
        _ => lang.of("请求无法处理", "This request can't be carried out"),
    }
}

/// The one place where what the access desk says becomes an answer.
impl From<AccessError> for Fault {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Refused(Refusal::NotFound) => Fault::NotFound,
            AccessError::Refused(refusal) => Fault::Refused(refusal),
            AccessError::Damaged { what } => Fault::Damaged(what),
            AccessError::Unavailable(detail) => Fault::internal(detail),
        }
    }
}

/// Why a reading gives nothing any more.
impl From<Ended> for Fault {
    fn from(why: Ended) -> Self {
        match why {
            Ended::Damaged(what) => Fault::Damaged(what),
            Ended::Locked => Fault::Refused(Refusal::Locked),
            Ended::Withdrawn => Fault::Refused(Refusal::NotActive),
            Ended::Revoked | Ended::Expired => Fault::Refused(Refusal::GrantEnded),
            Ended::Closed | Ended::Idle | Ended::Administrator(_) | Ended::Holder | Ended::Stopped => {
                Fault::NotFound
            }
        }
    }
}

impl From<CatalogueError> for Fault {
    fn from(error: CatalogueError) -> Self {
        Fault::internal(error)
    }
}

impl From<RandomError> for Fault {
    fn from(error: RandomError) -> Self {
        Fault::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_the_access_desk_keeps_its_word_and_its_sentences() {
        for refusal in Refusal::ALL {
            let fault = Fault::from(AccessError::Refused(*refusal));
            assert_eq!(fault.code(), refusal.id());
            assert!(fault.status().is_client_error() || fault.status().is_server_error());
            assert_eq!(
                fault.status().is_server_error(),
                matches!(refusal, Refusal::Locked | Refusal::IngestOnly | Refusal::Damaged)
            );
            if *refusal != Refusal::NotFound {
                assert_eq!(fault.explanation(Lang::Zh), refusal.zh());
                assert_eq!(fault.explanation(Lang::En), refusal.en());
            }
        }
        let damaged = Fault::from(AccessError::Damaged {
            what: "chunk 7".to_owned(),
        });
        assert_eq!(damaged.code(), "damaged");
        assert!(damaged.explanation(Lang::En).contains("chunk 7"));
        let broken = Fault::from(AccessError::Unavailable("/srv/vault is gone".to_owned()));
        assert!(matches!(broken, Fault::Internal(_)) && !broken.explanation(Lang::En).contains("srv"));
    }
}
