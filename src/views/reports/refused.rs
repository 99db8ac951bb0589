//! What was refused and why, in words for people. The log keeps the short words; what has no words here is shown as it stands there.

use super::table::Cell;
use crate::access::{policy::Action, refusal::Refusal};

/// What somebody tried.
pub(super) fn tried(word: &str) -> Cell {
    let action = Action::ALL.into_iter().find(|action| action.id() == word);
    let words = action.map(action_words).or(match word {
        "sign_in" => Some(("登录", "sign in")),
        "sftp" => Some(("通过 SFTP 接触内容", "reach content over SFTP")),
        "key_unlock" => Some(("解锁解密密钥", "unlock the decryption key")),
        "export" => Some(("在主机上导出", "export on the host")),
        "many" => Some(("多项", "several things")),
        _ => None,
    });
    in_words(word, words)
}

/// Why it was refused.
pub(super) fn why(word: &str) -> Cell {
    let refusal = Refusal::from_id(word).map(|refusal| (refusal.zh(), refusal.en()));
    let words = refusal.or(match word {
        "wrong" => Some(("登录名、密码或验证码不正确", "name, password or code was wrong")),
        "passkey_clone" => Some((
            "通行密钥的计数倒退，可能被复制",
            "a passkey's counter went back: it may have been copied",
        )),
        "token_wrong" => Some(("令牌不正确", "the token was wrong")),
        "token_ended" => Some(("令牌已到期或已撤销", "the token had expired or was revoked")),
        "many" => Some(("短时间内过多，合并计数", "too many at a time, counted together")),
        _ => None,
    });
    in_words(word, words)
}

fn in_words(word: &str, words: Option<(&str, &str)>) -> Cell {
    match words {
        Some((zh, en)) => Cell::word(word, zh, en),
        None => Cell::Text(word.to_owned()),
    }
}

fn action_words(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::OwnAccount => ("管理本人账户", "use their account"),
        Action::SearchMetadata => ("检索", "search"),
        Action::VerifyObject => ("核验存储内容", "verify a stored object"),
        Action::RequestAccess => ("申请查阅", "request access"),
        Action::SeeRequests => ("查看申请", "see requests"),
        Action::WithdrawRequest => ("撤回申请", "withdraw a request"),
        Action::DecideRequest => ("审批申请", "decide a request"),
        Action::DecideEmergency => ("审批紧急申请", "decide an emergency"),
        Action::SeeGrants => ("查看授权", "see grants"),
        Action::RevokeGrant => ("撤销授权", "revoke a grant"),
        Action::ReadContent => ("查阅内容", "read content"),
        Action::SeeLog => ("查看保管日志", "see the custody log"),
        Action::SeeReports => ("查看报告", "see reports"),
        Action::Witness => ("提交见证", "hand in a cosignature"),
        Action::AdministerPeople => ("管理人员", "administer people"),
        Action::AdministerSessions => ("管理会话", "administer sessions"),
        Action::SeeCapacity => ("查看容量", "see capacity"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_and_refusal_has_words_and_what_is_unknown_stands_as_it_is() {
        for action in Action::ALL {
            assert!(matches!(tried(action.id()), Cell::Word(_)), "{}", action.id());
        }
        for refusal in Refusal::ALL {
            assert!(matches!(why(refusal.id()), Cell::Word(_)), "{}", refusal.id());
        }
        assert!(matches!(tried("something_new"), Cell::Text(word) if word == "something_new"));
    }
}
