//! `README.txt` of each root, in Chinese and English.

/// For people who upload.
pub const UPLOADER: &str = "\
这里是 Muniment 证据库。上传到 /inbox，在 /receipts 取回执。
This is Muniment, the evidence vault. Upload to /inbox, read receipts in
/receipts.

/inbox     上传 upload
  文件名 file name: <客户号>_<日期>_<流水号>_<类型>_<序号>.<扩展名>
  例 e.g. 000100012345_20260728_A0098877_WVID_01.mp4
  或按文件夹 or as folders: <客户号>/<流水号>/<类型>_<序号>.<扩展名>
  或任意名称加 manifest.csv 申报；建议同时上传 <文件>.sha256 校验文件。
  Or any name that a manifest.csv maps. A <file>.sha256 beside each file
  lets the vault verify the transfer.
  中断后用续传（WinSCP「续传」, sftp reput, lftp -c），无需重新上传。
  After an interruption resume (WinSCP Resume, sftp reput, lftp -c).
  封存后不能修改、删除或取回；再次上传同一文件名即新增版本。
  What is sealed can't be changed, removed or read back; another upload
  of the same name adds a version.
  文件名不得含身份证号。No citizen id number in a name.

/receipts  回执 receipts, /receipts/<日期 date>/
  <文件>.ACCEPTED  已接收 accepted      <文件>.REJECTED  已拒收 rejected
  <文件>.WAITING   待补全 incomplete    <文件>.DUPLICATE 重复 duplicate
  <文件>.NEEDS_REVIEW  待复核：已封存，但检查发现问题，须由复核人员查看；回执
  写明如何改正，可改正的请重新上传
  NEEDS_REVIEW: sealed, but the inspection found something and a reviewer
  must look at it. The receipt says how to mend it; if you can, upload it
  again.
  .txt 供阅读 to read; .json + .tlog-proof 供核验 to verify, keep both
  _summary.csv 当日汇总 the day in one table

/tasks     待办 to do: waiting.csv 未完成的上传 uploads to complete
";

/// For auditors.
pub const AUDITOR: &str = "\
这里是 Muniment 证据库的审计入口，除 /witness 外均为只读。
This is Muniment, the evidence vault, as auditors see it. Everything but
/witness is read-only.

/log       保管日志 the custody log (c2sp.org/tlog-tiles)
  复制整个文件夹即为审计副本 copying it is the audit copy:
    get -r /log
    get /log/log.pub
    muniment-verify log log --key log.pub
  以下文件不在列表中，可直接下载 not listed, but there to get:
  /log/log.pub     日志公钥 the log's key; 请与另行取得的公钥比对 compare it
                   with a copy that you got on another way
  /log/witnesses   见证人公钥 the witnesses' keys
  /log/checkpoint.witnessed
                   见证人签署过的最新检查点 the newest cosigned checkpoint

/witness   见证 drop a checkpoint that a witness cosigned (64 KiB at most).
  与本库不符即证明日志被回退或分叉，本库将停止接收。
  One that this vault doesn't hold proves a rollback or a fork; the vault
  then stops taking in. Keep your copy.

/receipts  各机构回执 receipts by branch and date
/reports   报表 reports: evidence-by-branch.csv, findings.csv,
  fixity.csv, grants.csv, host-reads.csv, readings.csv, refusals.csv,
  requests.csv, unchecked.csv, users.csv, waiting.csv
";

/// The beginning, for people who only look things up.
pub const RETRIEVER: &str = "\
这里是 Muniment 证据库，供查阅人使用，均为只读。
This is Muniment, the evidence vault, for people who look things up.
Everything is read-only.
";

/// What is added for everybody who may hold grants.
pub const EVIDENCE: &str = "
/evidence  有效授权范围内的资料 what your live grants cover, nothing else
  /evidence/<客户号 customer>/<流水号 flow>/<类型 type>-<序号 seq>/v<版本 version>/
  没有授权时为空：请在控制台提出申请，经他人审批后即可见。
  Empty without a grant: file a request in the console; it shows once
  somebody else has approved it.
  下载须有「导出」授权；仅「查看」授权时可列出，但不能下载，请在控制台播放，
  或另行申请导出。
  Downloading takes an export grant. Under a grant to view, files are
  listed but can't be downloaded: play them in the console, or ask for an
  export grant.
  每次打开都会先记入保管日志，再传输内容；授权到期或撤销后立即中断。
  Each opening is logged before the first byte leaves; when the grant
  expires or is revoked, a transfer ends at once.
  时间为封存时间 times are when it was sealed. 校验 to verify:
    sha256sum \"/evidence/...\"   (ssh 命令 over ssh)
";

/// For people whose roles have nothing over SFTP.
pub const NOTHING_HERE: &str = "\
您的角色没有 SFTP 权限：此处没有可用的文件夹。
Your roles have nothing over SFTP: there are no folders for you here.

如需上传或审计，请联系系统管理员调整角色。
To upload or to audit, ask for another role; roles are added by
'muniment user add' on the host.
";

/// As files are shown on every desktop: a byte-order mark and CRLF.
pub fn file(text: &str) -> Vec<u8> {
    format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes()
}
