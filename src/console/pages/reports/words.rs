//! What each report is called and what it is for.

use crate::{console::words::Words, views::reports::Subject};

pub(super) fn name(subject: Subject) -> Words {
    let (zh, en) = match subject {
        Subject::Fixity => ("完整性核验记录", "Fixity checks"),
        Subject::Unchecked => ("尚未核验的证据", "Not checked yet"),
        Subject::Findings => ("检查发现的问题", "Inspection findings"),
        Subject::EvidenceByBranch => ("各营业部封存情况", "Evidence by branch"),
        Subject::Waiting => ("未完成的上传", "Uploads that wait"),
        Subject::Requests => ("查阅申请", "Requests for access"),
        Subject::Grants => ("查阅授权", "Grants"),
        Subject::Readings => ("查阅记录", "Readings"),
        Subject::Refusals => ("被拒绝的访问", "Refusals"),
        Subject::HostReads => ("主机上的导出", "Exports on the host"),
        Subject::Users => ("人员与角色", "People and roles"),
    };
    Words::new(zh, en)
}

pub(super) fn lead(subject: Subject) -> Words {
    let (zh, en) = match subject {
        Subject::Fixity => (
            "何时核验了什么、发现了多少问题。全库核验“完整”为“是”；单件核验列出证据编号。",
            "When what was checked, and how much was found. A check of the whole store is complete; a single one names its evidence.",
        ),
        Subject::Unchecked => (
            "最近一次全库核验之后封存的版本，以及各自最近一次单独核验且无问题的时间。",
            "Versions sealed after the last check of the whole store, and when each was last checked by itself without a finding.",
        ),
        Subject::Findings => (
            "接收检查拒收的上传，以及接收或深度检查后需要人工查看的证据。",
            "Uploads rejected at the gate, and evidence that needs a person's look.",
        ),
        Subject::EvidenceByBranch => (
            "每个营业部封存的件数、版本、字节和核对程度。",
            "Pieces, versions, bytes and grades of what each branch sealed.",
        ),
        Subject::Waiting => (
            "已收到但尚不完整的上传，及其补全期限。",
            "Uploads that aren't complete, and until when they can be.",
        ),
        Subject::Requests => (
            "谁因何依据申请查阅什么，由谁如何处理。紧急申请有标记。",
            "Who asked for what on which basis, and who decided how. Emergencies are marked.",
        ),
        Subject::Grants => (
            "谁获准查阅、由谁批准、到何时、是否已撤销。紧急授权有标记，须两人批准。",
            "Who may read, who approved it, until when, and what was revoked. Emergencies are marked; they take two approvers.",
        ),
        Subject::Readings => (
            "每次查阅：何人、何时、哪件证据、读取多少、依据哪个授权。没有结束时间的，仍在进行或因服务停止而中断。",
            "Each reading: who, when, which evidence, how much, under which grant. One without an end goes on, or the server ended first.",
        ),
        Subject::Refusals => (
            "被拒绝的操作。一分钟内的重复尝试合并计数。",
            "What was refused. Repetitions within a minute are counted together.",
        ),
        Subject::HostReads => (
            "操作员在服务器主机上以命令行导出的内容，不经授权流程，请逐条核对。",
            "Content that an operator exported on the host by command line, without a grant: look at each.",
        ),
        Subject::Users => (
            "每人的角色。不相容的角色组合在“冲突”一栏标出。",
            "Everybody's roles. Combinations that nobody may hold show as a conflict.",
        ),
    };
    Words::new(zh, en)
}
