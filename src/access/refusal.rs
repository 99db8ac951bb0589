//! Why the access desk says no: one word for the log and the API, one sentence for each reader.

use crate::{catalog::CatalogueError, custody::sequencer::CommitError};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $id:literal $zh:literal $en:literal)*) => {
        /// A refusal of a person.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            /// All of them.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$name,)*];

            /// The word for it in the log and in the API.
            pub fn id(self) -> &'static str { match self { $(Refusal::$name => $id,)* } }

            /// For people, in Chinese.
            pub fn zh(self) -> &'static str { match self { $(Refusal::$name => $zh,)* } }

            /// For people, in English.
            pub fn en(self) -> &'static str { match self { $(Refusal::$name => $en,)* } }
        }
    };
}

refusals! {
    /// Disabled, or never there.
    NotActive "not_active" "您的访问权限已被收回。" "Your access was withdrawn."
    /// No role of theirs reaches it.
    NotYourRole "not_your_role" "您的角色不包含此项权限；此次尝试已记录。" "None of your roles may do this; the attempt is on record."
    /// Another branch's.
    OutOfScope "out_of_scope" "不在您的机构范围内；如确属紧急，请以紧急查阅方式申请（须两人审批）。" "This is outside your branch; in an emergency file an emergency request, which takes two approvers."
    /// A token tried what takes a person.
    NotByToken "not_by_token" "令牌不能办理此项操作，须由本人登录控制台办理。" "A token can't do this: the person has to sign in at the console."
    /// Nobody approves what they asked for.
    OwnRequest "own_request" "不能审批本人提出的申请，请由他人审批。" "Nobody decides their own request: somebody else has to."
    /// Nobody approves access to what they took in or witnessed.
    Involved "involved" "您是其中资料的上传人或见证人，请由他人审批。" "You uploaded or witnessed one of these records: somebody else has to decide."
    /// No such request, grant, record or reading, or none that is theirs to see.
    NotFound "not_found" "没有找到，或不属于您可见的范围。" "There is no such thing, or it isn't yours to see."
    /// It was decided or taken back already.
    AlreadyDecided "already_decided" "该申请已处理完毕。" "This request was decided already."
    /// The same approver twice.
    AlreadyEndorsed "already_endorsed" "您已同意该紧急申请，须由另一位审批人完成审批。" "You agreed to this emergency already: another approver has to complete it."
    /// A request without basis.
    NoBasis "no_basis" "必须选择查阅依据：法律、监管、客户同意或尽职调查。" "Choose what permits it: law, regulator, customer consent or due diligence."
    /// A blank or overlong reason.
    NoReason "no_reason" "请填写理由（一行，不超过 200 字）。" "Give the reason in one line of at most 200 characters."
    /// No record named.
    NoRecords "no_records" "请至少选择一件资料。" "Name at least one record."
    /// More records than one request may name.
    TooManyRecords "too_many_records" "一次申请最多 500 件资料，请分次申请。" "One request names 500 records at the most: file several."
    /// A duration out of bounds.
    BadDuration "bad_duration" "查阅时长应在 5 分钟至 30 天之间（紧急查阅不超过 24 小时）。" "Access lasts from 5 minutes to 30 days, in an emergency 24 hours at the most."
    /// An approval that gives more than was asked for.
    Wider "wider_than_asked" "审批只能缩小申请的范围、用途或时长，不能扩大。" "An approval can narrow records, purpose and duration, never widen them."
    /// A scan of the form that can't be taken.
    BadForm "bad_form" "审批单扫描件须为 PDF、JPEG 或 PNG，且不超过 2 MB。" "The scan of the form must be a PDF, JPEG or PNG of at most 2 MB."
    /// Revoked or expired already.
    GrantEnded "grant_ended" "该授权已到期或已被撤销。" "This grant has expired or was revoked."
    /// No live grant for what is wanted.
    NoGrant "no_grant" "没有有效的查阅授权：请先提出申请并经他人审批。" "There is no live grant for this: request access, and have somebody else approve it."
    /// Bytes wanted under a grant to look.
    ViewOnly "view_only" "该授权仅限在控制台查看；下载须另行申请导出授权。" "This grant is for looking in the console; to take the bytes away request an export grant."
    /// The decryption key isn't at hand.
    Locked "locked" "解密密钥未解锁：请密钥保管人解锁后再试（muniment key unlock）。" "The decryption key is locked: ask the key custodians to unlock it (muniment key unlock)."
    /// This server never holds a decryption key.
    IngestOnly "ingest_only" "本服务器只负责接收，不持有解密密钥；请在可查阅的服务器上查阅。" "This server only takes evidence in and holds no decryption key: read it on one that is set up for retrieval."
    /// The stored object is gone or damaged.
    Damaged "damaged" "存储的对象缺失或损坏，已停止读取，请通知系统管理员核对。" "The stored object is missing or damaged; reading stopped. Tell the administrators to run a fixity check."
    /// A check of theirs is under way, or as many as can be at one time.
    Checking "checking" "您有一次核验正在进行，或系统同时进行的核验已达上限；请在其结束后再试。" "A check of yours is under way, or as many as can be at one time: try again when one has ended."
    /// Too much at one time.
    TooMany "too_many" "同时打开的查阅过多，请先关闭一些。" "Too many readings are open at one time: close some first."
}

impl Refusal {
    /// The refusal with this word.
    pub fn from_id(id: &str) -> Option<Refusal> {
        Refusal::ALL.iter().copied().find(|known| known.id() == id)
    }
}

/// Why the access desk didn't do it.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No, and why.
    #[error("{}", .0.en())]
    Refused(Refusal),
    /// A stored object ended a reading at a chunk that doesn't verify.
    #[error("{what}")]
    Damaged {
        /// Which, with the chunk's number where it is one.
        what: String,
    },
    /// The catalogue, the log or the store can't at the moment; the detail is for the operator's log.
    #[error("{0}")]
    Unavailable(String),
}

impl From<Refusal> for AccessError {
    fn from(refusal: Refusal) -> Self {
        AccessError::Refused(refusal)
    }
}

impl From<CatalogueError> for AccessError {
    fn from(error: CatalogueError) -> Self {
        AccessError::Unavailable(error.to_string())
    }
}

/// A refusal on its way out of a transaction travels as its word.
impl From<Refusal> for CommitError {
    fn from(refusal: Refusal) -> Self {
        CommitError::Refused(refusal.id().to_owned())
    }
}

impl From<CommitError> for AccessError {
    fn from(error: CommitError) -> Self {
        match &error {
            CommitError::Refused(word) => match Refusal::from_id(word) {
                Some(refusal) => AccessError::Refused(refusal),
                None => AccessError::Unavailable(error.to_string()),
            },
            _ => AccessError::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_own_word_and_both_sentences() {
        for (at, refusal) in Refusal::ALL.iter().enumerate() {
            assert_eq!(Refusal::from_id(refusal.id()), Some(*refusal));
            assert!(refusal.zh().ends_with(['。', '）']) && refusal.en().ends_with('.'));
            assert!(Refusal::ALL[..at].iter().all(|other| other.zh() != refusal.zh()));
            let error = AccessError::from(CommitError::from(*refusal));
            assert!(matches!(error, AccessError::Refused(same) if same == *refusal));
        }
    }
}
