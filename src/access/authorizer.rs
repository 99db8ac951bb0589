//! From a person as the catalogue knows them now, and the policy, to leave for one action.
//!
//! It must never know how somebody proved who they are.
//!
//! Invariants: a [`Permit`] and a [`Scope`] can be made here only, so what takes one was authorized; a person who was
//! disabled a moment ago has no role.

use super::{
    policy::{self, Action, Relation, Rule},
    refusal::Refusal,
};
use crate::{
    catalog::{
        CatalogueError,
        people::{self, Person},
    },
    domain::{
        event::{Draft, Kind},
        role::Role,
    },
};
use rusqlite::Connection;

/// Somebody who proved who they are: a person, and how much of their roles they use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The person, by id.
    pub person: String,
    /// The roles that count; `None` for all of theirs. A token may be worth less than its person.
    pub only: Option<Vec<Role>>,
}

impl Who {
    /// A person with all their roles.
    pub fn person(id: impl Into<String>) -> Self {
        Who {
            person: id.into(),
            only: None,
        }
    }

    /// Whether this is the person, or a token of theirs for something that tokens may do.
    ///
    /// # Errors
    /// [`Refusal::NotByToken`].
    pub fn present_for(&self, action: Action) -> Result<(), Refusal> {
        if self.only.is_none() || policy::by_token(action) {
            Ok(())
        } else {
            Err(Refusal::NotByToken)
        }
    }

    /// The person as the catalogue knows them now, with the roles that count; `None` when unknown or disabled.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn active(&self, connection: &Connection) -> Result<Option<Person>, CatalogueError> {
        let found = people::by_id(connection, &self.person)?;
        Ok(found
            .filter(|person| person.disabled_ms.is_none())
            .map(|mut person| {
                if let Some(only) = &self.only {
                    person
                        .roles
                        .retain(|held| only.iter().any(|role| role.id() == held));
                }
                person
            }))
    }
}

/// Leave for one action, given to one person.
#[derive(Debug)]
pub struct Permit {
    person: Person,
    action: Action,
}

impl Permit {
    /// Who has it.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// For what.
    pub fn action(&self) -> Action {
        self.action
    }

    /// An event that this person causes.
    pub fn event(&self, kind: Kind, id: impl Into<String>) -> Draft {
        Draft::new(kind, id, self.person.id.as_str())
    }
}

/// How much of a list a person sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Reach);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reach {
    Own(String),
    Branch { person: String, code: String },
    Everything,
}

impl Scope {
    /// Whether something of this branch, which is somebody else's, is in it.
    pub fn covers(&self, branch: &str) -> bool {
        match &self.0 {
            Reach::Own(_) => false,
            Reach::Branch { code, .. } => code == branch,
            Reach::Everything => true,
        }
    }

    /// The one branch that it is limited to.
    pub fn branch(&self) -> Option<&str> {
        match &self.0 {
            Reach::Branch { code, .. } => Some(code),
            Reach::Own(_) | Reach::Everything => None,
        }
    }

    /// The one person whose things it is limited to.
    pub fn owner(&self) -> Option<&str> {
        match &self.0 {
            Reach::Own(person) => Some(person),
            Reach::Branch { .. } | Reach::Everything => None,
        }
    }

    /// Whether something that is `owner`'s, about records of `branch` (`None`: of several), is in it.
    pub fn covers_item(&self, owner: &str, branch: Option<&str>) -> bool {
        match &self.0 {
            Reach::Own(person) => person == owner,
            Reach::Branch { person, code } => person == owner || branch == Some(code.as_str()),
            Reach::Everything => true,
        }
    }
}

/// Whether any of a person's roles lets them do this to what they stand in this relation to.
pub fn may(person: &Person, action: Action, relation: Relation) -> bool {
    rules(person, action).any(|rule| rule.permits(relation))
}

/// Whether any of a person's roles lets them do this to anything at all: what a menu shows and a page asks first. To what, is
/// asked when that is known.
pub fn may_ever(person: &Person, action: Action) -> bool {
    rules(person, action).any(|rule| rule != Rule::Never)
}

fn rules(person: &Person, action: Action) -> impl Iterator<Item = Rule> {
    Role::ALL
        .into_iter()
        .filter(|role| person.holds(*role))
        .map(move |role| policy::rule(role, action))
}

/// Leave for an action, or why not.
///
/// # Errors
/// The refusal; the caller puts it on record.
pub fn permit(person: Option<Person>, action: Action, relation: Relation) -> Result<Permit, Refusal> {
    let person = person.ok_or(Refusal::NotActive)?;
    if may(&person, action, relation) {
        return Ok(Permit { person, action });
    }
    // Why, as precisely as it helps: would it be theirs to do, were it not for this?
    let otherwise = |relation: Relation| may(&person, action, relation);
    Err(
        if relation.own
            && otherwise(Relation {
                own: false,
                ..relation
            })
        {
            Refusal::OwnRequest
        } else if (relation.uploaded || relation.witnessed)
            && otherwise(Relation {
                uploaded: false,
                witnessed: false,
                ..relation
            })
        {
            Refusal::Involved
        } else if !relation.in_scope
            && otherwise(Relation {
                in_scope: true,
                ..relation
            })
        {
            Refusal::OutOfScope
        } else {
            Refusal::NotYourRole
        },
    )
}

/// Leave for what is about nothing in particular: pages and lists, whose rows are chosen by scope.
///
/// # Errors
/// The refusal; the caller puts it on record.
pub fn permit_ever(person: Option<Person>, action: Action) -> Result<Permit, Refusal> {
    let person = person.ok_or(Refusal::NotActive)?;
    if may_ever(&person, action) {
        Ok(Permit { person, action })
    } else {
        Err(Refusal::NotYourRole)
    }
}

/// How much of what an action lists a person sees; `None` for nothing.
pub fn scope(person: &Person, action: Action) -> Option<Scope> {
    let of_branch = |person: &Person| match &person.branch {
        Some(code) => Reach::Branch {
            person: person.id.clone(),
            code: code.clone(),
        },
        None => Reach::Everything,
    };
    rules(person, action)
        .filter_map(|rule| match rule {
            Rule::Never => None,
            Rule::Own => Some(Reach::Own(person.id.clone())),
            Rule::Scope | Rule::ScopeOfOthers => Some(of_branch(person)),
            Rule::All | Rule::AllOfOthers => Some(Reach::Everything),
        })
        .max_by_key(|reach| match reach {
            Reach::Own(_) => 0,
            Reach::Branch { .. } => 1,
            Reach::Everything => 2,
        })
        .map(Scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(roles: &[Role], branch: Option<&str>) -> Person {
        Person {
            id: "p".to_owned(),
            name: "p".to_owned(),
            branch: branch.map(str::to_owned),
            nda: "NDA".to_owned(),
            added_ms: 0,
            disabled_ms: None,
            roles: roles.iter().map(|role| role.id().to_owned()).collect(),
            keys: Vec::new(),
        }
    }

    #[test]
    fn the_widest_role_decides_how_much_is_seen() {
        let scope_of = |roles: &[Role], branch| scope(&person(roles, branch), Action::SeeRequests);
        assert_eq!(scope_of(&[Role::Uploader], Some("0101")), None);
        let own = scope_of(&[Role::Retriever], Some("0101")).unwrap();
        assert_eq!((own.owner(), own.branch()), (Some("p"), None));
        assert!(own.covers_item("p", None) && !own.covers_item("q", Some("0101")));
        let branch = scope_of(&[Role::Retriever, Role::Approver], Some("0101")).unwrap();
        assert_eq!((branch.owner(), branch.branch()), (None, Some("0101")));
        assert!(branch.covers_item("q", Some("0101")) && !branch.covers_item("q", Some("0202")));
        assert!(branch.covers_item("p", None) && !branch.covers_item("q", None));
        let all = scope_of(&[Role::Approver], None).unwrap();
        assert!(all.covers("0202") && all.covers_item("q", None));
    }

    #[test]
    fn a_refusal_says_what_stands_in_the_way() {
        let approver = || Some(person(&[Role::Approver], Some("0101")));
        let others = Relation {
            in_scope: true,
            ..Relation::default()
        };
        let refused = |person, relation| permit(person, Action::DecideRequest, relation).unwrap_err();
        assert!(permit(approver(), Action::DecideRequest, others).is_ok());
        assert_eq!(
            refused(approver(), Relation { own: true, ..others }),
            Refusal::OwnRequest
        );
        for involved in [
            Relation {
                uploaded: true,
                ..others
            },
            Relation {
                witnessed: true,
                ..others
            },
        ] {
            assert_eq!(refused(approver(), involved), Refusal::Involved);
        }
        assert_eq!(refused(approver(), Relation::default()), Refusal::OutOfScope);
        assert_eq!(
            refused(Some(person(&[Role::Retriever], None)), others),
            Refusal::NotYourRole
        );
        assert_eq!(refused(None, others), Refusal::NotActive);
    }

    #[test]
    fn whoever_may_do_something_to_anything_gets_to_its_page_and_nobody_else() {
        for role in Role::ALL {
            for action in Action::ALL {
                let somebody = person(&[role], Some("0101"));
                let others = Relation {
                    in_scope: true,
                    ..Relation::default()
                };
                let expected = [Relation::OWN, others]
                    .into_iter()
                    .any(|relation| may(&somebody, action, relation));
                assert_eq!(may_ever(&somebody, action), expected, "{role} {action:?}");
                assert_eq!(permit_ever(Some(somebody), action).is_ok(), expected);
            }
        }
        assert_eq!(
            permit_ever(None, Action::OwnAccount).unwrap_err(),
            Refusal::NotActive
        );
    }

    #[test]
    fn disabled_people_hold_nothing() {
        let mut gone = person(&[Role::Auditor], None);
        gone.disabled_ms = Some(1);
        assert!(!may(&gone, Action::SeeLog, Relation::ANY) && !may_ever(&gone, Action::SeeLog));
        assert_eq!(scope(&gone, Action::SearchMetadata), None);
    }
}
