//! The columns of a manifest and the headings, Chinese and English, that people give them.

use serde::Serialize;

/// A column with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// 文件: the path.
    File,
    /// 大小: bytes.
    Size,
    /// SHA-256.
    Sha256,
    /// 客户编号
    Customer,
    /// 流水号
    Flow,
    /// 文件类别
    Doctype,
    /// 序号
    Seq,
    /// 见证人1
    Witness1,
    /// 见证人2
    Witness2,
    /// 见证方式
    Mode,
    /// 光盘编号
    DiscNumber,
    /// 录制时间
    RecordedAt,
}

impl Column {
    /// The name used in `extra`, in errors and as a heading.
    pub fn code(self) -> &'static str {
        HEADINGS
            .iter()
            .find(|(column, _)| *column == self)
            .map_or("", |(_, headings)| headings[0])
    }
}

/// Headings are compared without case, spaces, `_`, `-` and brackets.
const HEADINGS: [(Column, &[&str]); 12] = [
    (
        Column::File,
        &[
            "file",
            "filename",
            "path",
            "name",
            "文件",
            "文件名",
            "文件名称",
            "文件路径",
            "路径",
        ],
    ),
    (
        Column::Size,
        &[
            "size",
            "sizebytes",
            "bytes",
            "filesize",
            "大小",
            "文件大小",
            "字节",
            "字节数",
            "大小字节",
            "文件大小字节",
        ],
    ),
    (
        Column::Sha256,
        &[
            "sha256",
            "hash",
            "digest",
            "checksum",
            "哈希",
            "哈希值",
            "校验值",
            "摘要",
            "sha256值",
            "sha256校验值",
            "sha256哈希值",
        ],
    ),
    (
        Column::Customer,
        &[
            "customer",
            "customerno",
            "customernumber",
            "客户",
            "客户号",
            "客户编号",
            "客户代码",
            "客户号码",
        ],
    ),
    (
        Column::Flow,
        &[
            "flow",
            "flowno",
            "flownumber",
            "流水",
            "流水号",
            "业务流水",
            "业务流水号",
            "流水编号",
        ],
    ),
    (
        Column::Doctype,
        &[
            "doctype",
            "documenttype",
            "type",
            "类别",
            "文件类别",
            "文件类型",
            "档案类型",
            "类别代码",
            "文件类别代码",
        ],
    ),
    (Column::Seq, &["seq", "sequence", "序号", "顺序号"]),
    (
        Column::Witness1,
        &[
            "witness1",
            "witness",
            "见证人",
            "见证人1",
            "见证人一",
            "第一见证人",
        ],
    ),
    (
        Column::Witness2,
        &["witness2", "见证人2", "见证人二", "第二见证人"],
    ),
    (
        Column::Mode,
        &["mode", "方式", "见证方式", "开户方式", "业务方式"],
    ),
    (
        Column::DiscNumber,
        &[
            "disc_number",
            "discnumber",
            "disc",
            "discno",
            "光盘",
            "光盘号",
            "光盘编号",
        ],
    ),
    (
        Column::RecordedAt,
        &[
            "recorded_at",
            "recordedat",
            "recorded",
            "recordedtime",
            "recordingtime",
            "录制时间",
            "拍摄时间",
            "见证时间",
            "录像时间",
        ],
    ),
];

/// The column that a heading stands for.
pub(super) fn meaning(title: &str) -> Option<Column> {
    let ignored = |c: &char| !c.is_whitespace() && !"_-()（）[]".contains(*c);
    let plain: String = title.to_lowercase().chars().filter(ignored).collect();
    HEADINGS
        .iter()
        .find(|(_, headings)| headings.contains(&plain.as_str()))
        .map(|(column, _)| *column)
}
