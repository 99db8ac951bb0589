//! The six categories of customer records (D5): a closed list.

use serde::{Deserialize, Serialize};

/// One of the six categories of the measures, §16(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// 客户资料
    Customer,
    /// 资产账户资料
    AssetAccount,
    /// 内部证券资料
    InternalSecurities,
    /// 内部基金资料
    InternalFund,
    /// 产品账户内部资料
    ProductInternal,
    /// 代理证券资料
    AgencySecurities,
}

impl Category {
    /// All of them, in the order of the measures.
    pub const ALL: [Self; 6] = [
        Self::Customer,
        Self::AssetAccount,
        Self::InternalSecurities,
        Self::InternalFund,
        Self::ProductInternal,
        Self::AgencySecurities,
    ];

    /// The stable code used in files, the catalogue and the log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::AssetAccount => "asset_account",
            Self::InternalSecurities => "internal_securities",
            Self::InternalFund => "internal_fund",
            Self::ProductInternal => "product_internal",
            Self::AgencySecurities => "agency_securities",
        }
    }

    /// The name in the measures.
    pub fn name_zh(self) -> &'static str {
        match self {
            Self::Customer => "客户资料",
            Self::AssetAccount => "资产账户资料",
            Self::InternalSecurities => "内部证券资料",
            Self::InternalFund => "内部基金资料",
            Self::ProductInternal => "产品账户内部资料",
            Self::AgencySecurities => "代理证券资料",
        }
    }

    /// The category with this code; anything else is no category.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back_and_nothing_else_does() {
        for category in Category::ALL {
            assert_eq!(Category::from_code(category.code()), Some(category));
            assert_eq!(serde_json::to_value(category).unwrap(), category.code());
        }
        assert_eq!(Category::from_code("other"), None);
    }
}
