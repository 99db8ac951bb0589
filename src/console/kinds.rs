//! Custody events in plain words, for lists of them.

use super::words::{Lang, Words};
use crate::{access::OPERATOR, domain::event::Kind};
use serde_json::Value;

/// What a kind of event says happened.
pub fn kind_name(kind: Kind) -> Words {
    let (zh, en) = match kind {
        Kind::VaultCreated => ("建库", "Vault created"),
        Kind::StoreCapability => ("存储防改能力声明", "What the store can enforce"),
        Kind::BranchAdded => ("新增营业部", "Branch added"),
        Kind::UserAdded => ("新增人员", "Person added"),
        Kind::UserDisabled => ("停用人员", "Person disabled"),
        Kind::UserKeyAdded => ("添加 SSH 公钥", "SSH key added"),
        Kind::UserKeyRevoked => ("撤销 SSH 公钥", "SSH key revoked"),
        Kind::UserInvited => ("发出邀请", "Person invited"),
        Kind::UserPasswordSet => ("设置密码", "Password set"),
        Kind::UserTotpEnrolled => ("登记身份验证器", "Authenticator app enrolled"),
        Kind::UserPasskeyAdded => ("添加通行密钥", "Passkey added"),
        Kind::UserPasskeyRemoved => ("删除通行密钥", "Passkey removed"),
        Kind::UserSignedIn => ("登录", "Signed in"),
        Kind::UserSignedOut => ("退出登录", "Session ended"),
        Kind::TokenIssued => ("签发令牌", "Token issued"),
        Kind::TokenRevoked => ("撤销令牌", "Token revoked"),
        Kind::AccessionReceived => ("收到上传，尚未完成", "Received, not complete yet"),
        Kind::EvidenceSealed => ("封存", "Sealed"),
        Kind::AccessionRejected => ("拒收", "Rejected"),
        Kind::AccessionDuplicate => ("重复上传", "Duplicate"),
        Kind::AccessionWithdrawn => ("上传人撤回", "Withdrawn by the uploader"),
        Kind::DeclarationReceived => ("收到清单", "Declaration received"),
        Kind::EvidenceDeclared => ("按清单核对", "Held against a declaration"),
        Kind::EvidenceInspected => ("深度检查完成", "Inspected in depth"),
        Kind::DerivedMade => ("生成衍生件", "Copy made for viewing"),
        Kind::InspectionRequested => ("要求重新检查", "Inspection asked for again"),
        Kind::DocumentTypesPublished => ("发布文件类别表", "Document types published"),
        Kind::FixityChecked => ("完整性核验", "Fixity checked"),
        Kind::AccessRequested => ("申请查阅", "Access requested"),
        Kind::AccessEndorsed => ("紧急申请：第一人同意", "Emergency: first approver agreed"),
        Kind::AccessApproved => ("批准查阅", "Access approved"),
        Kind::AccessDeclined => ("拒绝查阅", "Access declined"),
        Kind::AccessWithdrawn => ("撤回申请", "Request withdrawn"),
        Kind::AccessRevoked => ("撤销授权", "Grant revoked"),
        Kind::AccessRefused => ("拒绝访问", "Refused"),
        Kind::AccessRead => ("开始查阅内容", "Content read"),
        Kind::AccessReadEnded => ("结束查阅内容", "Reading ended"),
        Kind::KeyUnlocked => ("解密密钥解锁", "Decryption key unlocked"),
        Kind::KeyLocked => ("解密密钥锁定", "Decryption key locked"),
        Kind::Anchor => ("见证签名", "Witnessed"),
        Kind::Recover => ("目录重建", "Catalogue rebuilt"),
    };
    Words::new(zh, en)
}

/// The same for a kind as the catalogue holds it; one that this program doesn't know stands for itself.
pub fn kind_words(lang: Lang, kind: &str) -> String {
    match serde_json::from_value::<Kind>(Value::from(kind)) {
        Ok(kind) => kind_name(kind).of(lang).to_owned(),
        Err(_) => kind.to_owned(),
    }
}

/// Who caused an event, where that isn't a person.
pub fn actor_words(lang: Lang, actor: &str) -> Option<&'static str> {
    match actor {
        OPERATOR => Some(lang.of("主机操作员", "Operator on the host")),
        "system" => Some(lang.of("系统", "System")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_said_in_the_readers_language() {
        assert_eq!(kind_words(Lang::Zh, "evidence.sealed"), "封存");
        assert_eq!(kind_words(Lang::En, "recover"), "Catalogue rebuilt");
        assert_eq!(kind_words(Lang::En, "from.tomorrow"), "from.tomorrow");
        assert_eq!(actor_words(Lang::En, "01ARZ3"), None);
    }
}
