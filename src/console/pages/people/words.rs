//! What was wrong with what an administrator ordered, for people.

use crate::{
    access::{
        credentials::CredentialError,
        people::{KeyRefused, MAX_KEYS, MAX_TEXT, PeopleError},
    },
    console::{
        allows::role_name,
        pages::factors::wrong,
        words::{Lang, Words},
    },
    domain::role::RoleError,
};

/// The words for it.
pub(in crate::console::pages) fn words(error: &PeopleError) -> Words {
    match error {
        PeopleError::Blank(_) => {
            Words::new("有必填内容没有填写。", "Something that is needed was left empty.")
        }
        PeopleError::Long(_) => Words::new(
            format!("每项内容限一行，最多 {MAX_TEXT} 个字符。"),
            format!("Each text is one line of at most {MAX_TEXT} characters."),
        ),
        PeopleError::BranchCode(code) => Words::new(
            format!("“{code}”不能作为营业部代码：限 2 至 12 个英文字母或数字。"),
            format!("“{code}” is no branch code: 2 to 12 letters (A-Z, a-z) and digits."),
        ),
        PeopleError::BranchTaken(code) => Words::new(
            format!("营业部 {code} 已存在。"),
            format!("Branch {code} is there already."),
        ),
        PeopleError::LoginName(name) => Words::new(
            format!(
                "“{name}”不能作为登录名：限小写字母、数字和“.”“_”“-”，最多 32 个字符，以字母或数字开头。"
            ),
            format!(
                "“{name}” is no log-in name: up to 32 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit."
            ),
        ),
        PeopleError::Roles(error) => roles(error),
        PeopleError::Key(KeyRefused::Private(_)) => Words::new(
            "停！这是私钥，绝不能离开其主人的电脑。内容没有保存。如果它曾被发送或复制，请作废并重新生成一对密钥，只提供 .pub 文件。",
            "STOP: this is a PRIVATE key. It must never leave its owner's machine, and nothing of it was stored. If it was sent or copied, make a new pair and give the .pub file.",
        ),
        PeopleError::Key(error) => Words::new(
            format!(
                "公钥不能使用，请提供 ssh-keygen 或 PuTTYgen 生成的 .pub 文件内容，建议 ed25519。（{error}）"
            ),
            format!("The key isn't taken: {error}."),
        ),
        PeopleError::NoKey => Words::new(
            "经办通过 SFTP 上传，必须提供 SSH 公钥。",
            "Uploaders work by SFTP and need an SSH public key.",
        ),
        PeopleError::KeyTwice(_) => Words::new("同一公钥出现了两次。", "The same key stands there twice."),
        PeopleError::KeyTaken { owner, .. } => Words::new(
            format!("该公钥属于 {owner}。一把公钥只代表一个人，请另行生成。"),
            format!("This key is {owner}'s. A key names one person: make another one."),
        ),
        PeopleError::KeyTheirs { name, .. } => Words::new(
            format!("该公钥已经登记在 {name} 名下。"),
            format!("{name} has this key already."),
        ),
        PeopleError::KeySeveral => Words::new("每次只能添加一把公钥。", "One key at a time."),
        PeopleError::KeyLimit(name) => Words::new(
            format!("每人最多 {MAX_KEYS} 把公钥，请先撤销 {name} 不再使用的公钥。"),
            format!("A person has at most {MAX_KEYS} keys: revoke those that {name} doesn't use first."),
        ),
        PeopleError::NoSuchKey { .. } => Words::new(
            "此人没有这把公钥，或已撤销。",
            "They have no such key, or it is revoked.",
        ),
        PeopleError::NameTaken(name) => Words::new(
            format!("登录名 {name} 已有人使用。"),
            format!("Somebody is called {name} already."),
        ),
        PeopleError::NameOfHistory(name) => Words::new(
            format!("{name} 是已停用人员的登录名，其历史记录保留在该名下，请另选一个。"),
            format!(
                "{name} was somebody who is disabled, and their history stays under that name: choose another."
            ),
        ),
        PeopleError::UnknownBranch(code) => Words::new(
            format!("没有营业部 {code}，请先新增。"),
            format!("There is no branch {code}: add it first."),
        ),
        PeopleError::Nobody(_) | PeopleError::NobodyActive(_) => Words::new(
            "没有这个人，或者已经停用。",
            "There is nobody of that name, or they are disabled.",
        ),
        PeopleError::DisabledAlready(name) => Words::new(
            format!("{name} 已经停用。"),
            format!("{name} is disabled already."),
        ),
        PeopleError::LastAdministrator(name) => Words::new(
            format!(
                "{name} 是唯一有效的系统管理员。停用后将无人能管理人员，请先新增另一位系统管理员。此次尝试已记录。"
            ),
            format!(
                "{name} is the only active administrator, and nobody could administer people afterwards: add another one first. The attempt is on record."
            ),
        ),
        PeopleError::NoToken => Words::new(
            "没有这个令牌，或已撤销。",
            "There is no such token, or it is revoked.",
        ),
        PeopleError::Denied(refusal) => Words::new(refusal.zh(), refusal.en()),
        PeopleError::Credential(error) => wrong(error),
        PeopleError::Commit(_) | PeopleError::Catalogue(_) | PeopleError::Random => {
            wrong(&CredentialError::Busy)
        }
    }
}

fn roles(error: &RoleError) -> Words {
    match error {
        RoleError::Conflict(one, other, why) => {
            let (one, other) = (role_name(*one), role_name(*other));
            Words::new(
                format!(
                    "“{}”与“{}”不能由同一人担任。此次尝试已记录。",
                    one.of(Lang::Zh),
                    other.of(Lang::Zh)
                ),
                format!(
                    "{} and {} can't be held by the same person: {why}. The attempt is on record.",
                    one.of(Lang::En),
                    other.of(Lang::En)
                ),
            )
        }
        RoleError::Empty => Words::new("请至少选择一个角色。", "Choose at least one role."),
        RoleError::NeedsBranch(role) => {
            let role = role_name(*role);
            Words::new(
                format!("“{}”必须属于一个营业部，请选择营业部。", role.of(Lang::Zh)),
                format!("{} works for one branch: choose it.", role.of(Lang::En)),
            )
        }
        RoleError::Unknown(_) => Words::new("没有这个角色。", "There is no such role."),
    }
}
