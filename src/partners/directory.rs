//! Who takes part and what they issue, in memory: read by every operation, changed rarely.

use std::collections::HashMap;
use std::sync::Arc;

use super::link_terms::LinkTerms;
use super::{Currency, Money, Partner};
use crate::clock::Timestamp;
use crate::points::account::{Account, Asset};

/// Partners, currencies and moneys, found by what callers and rows call them.
#[derive(Debug, Default)]
pub struct Directory {
    partners: HashMap<i64, Partner>,
    currencies: HashMap<Asset, Arc<Currency>>,
    moneys: HashMap<Asset, Money>,
    currencies_by_code: HashMap<String, Asset>,
    moneys_by_code: HashMap<String, Asset>,
    /// Of the partners that have any.
    link_terms: HashMap<i64, Arc<LinkTerms>>,
    /// Those of all others.
    no_link_terms: Arc<LinkTerms>,
    /// Wallets that became another member's lately, and when.
    moved: HashMap<Account, Timestamp>,
}

impl Directory {
    pub fn new(partners: Vec<Partner>, currencies: Vec<Currency>, moneys: Vec<Money>) -> Directory {
        Directory {
            currencies_by_code: currencies
                .iter()
                .map(|currency| (currency.code.clone(), currency.no))
                .collect(),
            moneys_by_code: moneys
                .iter()
                .map(|money| (money.code.clone(), money.no))
                .collect(),
            partners: partners
                .into_iter()
                .map(|partner| (partner.id, partner))
                .collect(),
            currencies: currencies
                .into_iter()
                .map(|currency| (currency.no, Arc::new(currency)))
                .collect(),
            moneys: moneys.into_iter().map(|money| (money.no, money)).collect(),
            link_terms: HashMap::new(),
            no_link_terms: Arc::default(),
            moved: HashMap::new(),
        }
    }

    /// The same with the link terms of partners.
    pub fn with_link_terms(mut self, terms: HashMap<i64, LinkTerms>) -> Directory {
        let terms = terms.into_iter();
        self.link_terms = terms.map(|(id, terms)| (id, Arc::new(terms))).collect();
        self
    }

    /// The same with the wallets that became another member's lately.
    pub fn with_moved(mut self, moved: HashMap<Account, Timestamp>) -> Directory {
        self.moved = moved;
        self
    }

    /// When a wallet became another member's, where quotes from before may not have ended by themselves yet.
    pub fn moved_at(&self, wallet: Account) -> Option<Timestamp> {
        self.moved.get(&wallet).copied()
    }

    /// What a partner asks before points of its members leave it.
    pub fn link_terms(&self, partner: i64) -> Arc<LinkTerms> {
        let own = self.link_terms.get(&partner);
        Arc::clone(own.unwrap_or(&self.no_link_terms))
    }

    pub fn partner(&self, id: i64) -> Option<&Partner> {
        self.partners.get(&id)
    }

    pub fn currency(&self, code: &str) -> Option<&Arc<Currency>> {
        self.currency_no(*self.currencies_by_code.get(code)?)
    }

    pub fn currency_no(&self, no: Asset) -> Option<&Arc<Currency>> {
        self.currencies.get(&no)
    }

    pub fn money(&self, no: Asset) -> Option<&Money> {
        self.moneys.get(&no)
    }

    pub fn money_by_code(&self, code: &str) -> Option<&Money> {
        self.money(*self.moneys_by_code.get(code)?)
    }

    /// What a partner settles in.
    pub fn money_of(&self, partner: i64) -> Option<&Money> {
        self.money(self.partner(partner)?.money)
    }

    /// The code of any asset, point or money.
    pub fn code_of(&self, asset: Asset) -> Option<&str> {
        let currency = self
            .currency_no(asset)
            .map(|currency| currency.code.as_str());
        currency.or_else(|| self.money(asset).map(|money| money.code.as_str()))
    }

    /// All partners, oldest first.
    pub fn partners(&self) -> Vec<&Partner> {
        let mut partners: Vec<&Partner> = self.partners.values().collect();
        partners.sort_by_key(|partner| partner.id);
        partners
    }

    /// All currencies, oldest first.
    pub fn currencies(&self) -> Vec<&Arc<Currency>> {
        let mut currencies: Vec<&Arc<Currency>> = self.currencies.values().collect();
        currencies.sort_by_key(|currency| currency.no);
        currencies
    }

    /// The currencies a partner issues, oldest first.
    pub fn issued_by(&self, partner: i64) -> Vec<&Arc<Currency>> {
        self.currencies()
            .into_iter()
            .filter(|currency| currency.issuer == partner)
            .collect()
    }
}
