//! Why a reading ended: one word for the log and for programs, one sentence for each reader.

/// Why a reading gives no further byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Whoever read closed it.
    Closed,
    /// Nothing was read for a while.
    Idle,
    /// The grant was revoked.
    Revoked,
    /// The grant expired.
    Expired,
    /// The person's access was withdrawn.
    Withdrawn,
    /// An administrator ended it: whoever that was, by id.
    Administrator(String),
    /// The session or connection that held it is over.
    Holder,
    /// The decryption key was locked.
    Locked,
    /// The stored object isn't what was sealed: what exactly, naming the chunk where it is one.
    Damaged(String),
    /// The server stopped.
    Stopped,
}

impl Ended {
    /// The word in the log and for programs.
    pub fn id(&self) -> &'static str {
        self.words().0
    }

    /// For people, in Chinese.
    pub fn zh(&self) -> &'static str {
        self.words().1
    }

    /// For people, in English.
    pub fn en(&self) -> &'static str {
        self.words().2
    }

    /// Which chunk or file is damaged, for who mends it.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Ended::Damaged(what) => Some(what),
            _ => None,
        }
    }

    fn words(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Ended::Closed => ("closed", "本次查阅已结束。", "This reading is over."),
            Ended::Idle => (
                "idle",
                "长时间没有读取，本次查阅已自动结束；授权有效时可以重新打开。",
                "Nothing was read for a while, so this reading ended; while the grant lasts you can open it again.",
            ),
            Ended::Revoked => (
                "revoked",
                "授权已被撤销，查阅已立即停止。",
                "The grant was revoked; reading stopped at once.",
            ),
            Ended::Expired => (
                "expired",
                "授权已到期，查阅已停止；如仍需查阅，请重新申请。",
                "The grant has expired and reading stopped; file a new request if you still need access.",
            ),
            Ended::Withdrawn => (
                "withdrawn",
                "您的访问权限已被收回，查阅已停止。",
                "Your access was withdrawn; reading stopped.",
            ),
            Ended::Administrator(_) => (
                "administrator",
                "系统管理员结束了本次查阅；授权有效时可以重新打开。",
                "An administrator ended this reading; while the grant lasts you can open it again.",
            ),
            Ended::Holder => (
                "session_over",
                "会话已结束，查阅已停止；请重新登录。",
                "Your session is over and reading stopped; please sign in again.",
            ),
            Ended::Locked => (
                "locked",
                "解密密钥已锁定，查阅已停止；请密钥保管人解锁后重新打开。",
                "The decryption key was locked and reading stopped; open it again once the key custodians have unlocked it.",
            ),
            Ended::Damaged(_) => (
                "damaged",
                "存储的对象缺失或损坏，已在损坏处之前停止，没有送出任何错误内容；请通知系统管理员核对。",
                "The stored object is missing or damaged. Reading stopped before the damage and nothing wrong was shown; tell the administrators to run a fixity check.",
            ),
            Ended::Stopped => (
                "stopped",
                "服务器正在停止，查阅已结束；请稍后重新打开。",
                "The server is stopping and reading ended; open it again in a while.",
            ),
        }
    }
}
