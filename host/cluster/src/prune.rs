//! What left the set: found by the set's id, agreed to, and deleted when all else is done.

use std::collections::{BTreeMap, BTreeSet};

use lathe_manifest::digest;

use crate::answer;
use crate::apply::{Apply, Deletions, Event};
use crate::discovery::Known;
use crate::hook::HOOK;
use crate::inventory::{Parent, group_kind};
use crate::member::{self, Deletion, Member, Terms};
use crate::outcome::{Action, Cause, Failure};
use crate::request::RequestError;
use crate::run::{Placed, Run};
use crate::target::{CONTENT, Target};

/// The members of a run's set: those that the run wants, and those that the cluster has.
pub(crate) struct Members {
    parent: Parent,
    kinds: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    wanted: BTreeSet<(String, String, String, String)>,
    /// What objects that have only a prefix for a name hold.
    contents: BTreeSet<String>,
    /// How many objects are wanted for each prefix for a name, by API group, kind and namespace.
    prefixes: BTreeMap<[String; 4], usize>,
    /// Whether the set holds bindings, which may give the right to see the rest.
    binds: bool,
    /// Whether what left the set could not be looked for yet.
    is_blind: bool,
    /// How many objects of the set the cluster has.
    count: usize,
    /// What is deleted, in this order.
    leaving: Vec<Member>,
    /// What is not wanted any more, and stays.
    staying: Vec<Member>,
    /// Hooks that are not wanted any more: their own policies say when they go.
    hooks: Vec<Member>,
}

impl Members {
    /// Of the targets of a run, hooks among them.
    pub(crate) fn of<'t, 'a: 't>(
        apply: &Apply<'_>,
        parent: Parent,
        targets: impl Iterator<Item = &'t Placed<'a>>,
    ) -> Self {
        let mut members = Self {
            parent,
            kinds: BTreeSet::new(),
            namespaces: BTreeSet::new(),
            wanted: BTreeSet::new(),
            contents: BTreeSet::new(),
            prefixes: BTreeMap::new(),
            binds: false,
            is_blind: false,
            count: 0,
            leaving: Vec::new(),
            staying: Vec::new(),
            hooks: Vec::new(),
        };
        for (_, target) in targets {
            members.kinds.insert(group_kind(target.object.group(), target.object.kind()));
            members.contents.extend(target.content().map(ToOwned::to_owned));
            let [group, kind, namespace, name] = target.identity();
            let is_hook = target.object.value.str_at(&["metadata", "annotations", HOOK]).is_some();
            if let Some(prefix) =
                target.object.value.str_at(&["metadata", "generateName"]).filter(|_| !is_hook)
            {
                let key = [group.as_str(), &kind, &namespace, prefix].map(ToOwned::to_owned);
                *members.prefixes.entry(key).or_default() += 1;
            }
            members.binds |= kind == "RoleBinding" || kind == "ClusterRoleBinding";
            members.namespaces.insert(namespace.clone());
            members.wanted.insert((group, kind, namespace, name));
        }
        members.namespaces.insert(apply.namespace.clone());
        members.namespaces.remove("");
        members
    }

    /// Whether this is the set's first apply. Without an inventory that shows in that nothing was there.
    pub(crate) fn are_first(&self, all_new: bool) -> bool {
        self.parent.applied.is_none() && (self.parent.uid.is_some() || all_new)
    }

    /// Finds what left the set. In namespaces that come into being with the run nothing can be found. Where a binding of the set
    /// is yet to give the right to look, that is done again when all is applied.
    pub(crate) async fn look(
        &mut self,
        run: &mut Run<'_>,
        known: &Known,
        born: &BTreeSet<String>,
    ) -> Result<(), RequestError> {
        let Some(managed) = &run.apply.set else { return Ok(()) };
        let id = managed.set.id();
        let kinds: BTreeSet<String> = self.kinds.union(&self.parent.kinds).cloned().collect();
        let namespaces = self.namespaces.union(&self.parent.namespaces).filter(|name| !born.contains(*name));
        let namespaces: BTreeSet<String> = namespaces.cloned().collect();
        let found = match member::list(&run.requests, known, &id, &kinds, &namespaces, &|_| false).await {
            Ok(found) => found,
            Err(RequestError::Answered(status)) if status.code == 403 && self.binds && !self.is_blind => {
                self.is_blind = true;
                if run.apply.dry_run {
                    let told = "what left the set is not told: the right to look for it comes with a binding of the set";
                    run.outcome.warnings.push(told.to_owned());
                }
                return Ok(());
            }
            Err(RequestError::Answered(status)) => {
                let cause = if status.code == 403 { Cause::Rights } else { Cause::Other };
                let told = format!("what left the set cannot be looked for: {}", status.message);
                let failure = Failure::new(format!("set {}", managed.set.label()), told);
                run.outcome.failures.push(Failure { cause, ..failure });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // One object may be known under two API groups; where it is wanted under one, it stays.
        let wanted: BTreeSet<Option<String>> =
            found.iter().filter(|member| self.wants(member)).map(|member| member.meta.uid.clone()).collect();
        let found = member::distinct(found).into_iter().filter(|member| !member.is_owned());
        let found: Vec<Member> = found.collect();
        self.count = found.len();
        let others = found.into_iter().filter(|member| !wanted.contains(&member.meta.uid));
        let (hooks, others): (Vec<_>, Vec<_>) = others.partition(|member| member.annotation(HOOK).is_some());
        self.hooks = hooks;
        let (mut leaving, staying): (Vec<_>, Vec<_>) = others.into_iter().partition(Member::can_be_pruned);
        leaving.sort_by_cached_key(Member::turn);
        run.gone = leaving.iter().map(|member| (member.label(), Action::NotApplied)).collect();
        if run.apply.dry_run {
            run.gone.iter_mut().for_each(|(_, action)| *action = Action::Deleted);
        }
        run.gone.extend(staying.iter().map(|member| (member.label(), Action::Left)));
        (self.leaving, self.staying) = (leaving, staying);
        Ok(())
    }

    fn wants(&self, member: &Member) -> bool {
        let (group, kind, namespace, name) = member.key();
        let key = (group.to_owned(), kind.to_owned(), namespace.to_owned(), name.to_owned());
        let content = member.meta.labels.as_ref().and_then(|labels| labels.get(CONTENT));
        self.wanted.contains(&key) || content.is_some_and(|content| self.contents.contains(content))
    }

    /// Looks for what left the set where that was not possible before, and has the deletions agreed to.
    pub(crate) async fn look_again(&mut self, run: &mut Run<'_>, known: &Known) -> Result<(), RequestError> {
        if self.is_blind && run.outcome.failures.is_empty() {
            self.look(run, known, &BTreeSet::new()).await?;
            self.agree(run);
        }
        Ok(())
    }

    /// Has the deletions agreed to, if there are any.
    pub(crate) fn agree(&self, run: &mut Run<'_>) {
        let Some(managed) = run.apply.set.as_ref().filter(|_| !self.leaving.is_empty()) else { return };
        let lines: Vec<String> = self
            .leaving
            .iter()
            .map(|member| format!("{} {}", member.label(), member.meta.uid.as_deref().unwrap_or_default()))
            .collect();
        let parts: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let digest = digest::base32(&digest::of_parts(&parts), 16);
        run.outcome.plan.clone_from(&digest);
        if run.apply.dry_run || !run.outcome.failures.is_empty() {
            return;
        }
        // What is followed by another of its prefix, as a Job of a new version, is no loss.
        let mut followers = self.prefixes.clone();
        let mut follows = |member: &Member| {
            let (group, kind, namespace, _) = member.key();
            let prefix = member.meta.generate_name.as_deref().unwrap_or_default();
            let key = [group, kind, namespace, prefix].map(ToOwned::to_owned);
            match followers.get_mut(&key).filter(|count| **count > 0) {
                Some(count) => {
                    *count -= 1;
                    true
                }
                None => false,
            }
        };
        let objects: Vec<String> =
            self.leaving.iter().filter(|member| !follows(member)).map(Member::label).collect();
        if objects.is_empty() {
            return;
        }
        let deletions = Deletions { objects, of: self.count, digest };
        if let Err(told) = (managed.agree)(&deletions) {
            run.outcome.failures.push(Failure::new(format!("set {}", managed.set.label()), told));
        }
    }

    /// Notes all that the set may come to have, before anything of it is there.
    pub(crate) async fn begin(&mut self, run: &mut Run<'_>) -> Result<(), RequestError> {
        let Some(managed) = &run.apply.set else { return Ok(()) };
        let mut parent = std::mem::take(&mut self.parent).began(&managed.applied);
        parent.kinds.extend(self.kinds.iter().cloned());
        parent.namespaces.extend(self.namespaces.iter().cloned());
        run.has_record = true;
        parent.write(&run.requests, &managed.set, None).await?;
        self.parent = parent;
        Ok(())
    }

    /// Deletes what left the set, and notes what the set has now. After a failure all stays as it is.
    pub(crate) async fn end(&mut self, run: &mut Run<'_>) -> Result<(), RequestError> {
        let Some(managed) = run.apply.set.as_ref().filter(|_| run.outcome.failures.is_empty()) else {
            return Ok(());
        };
        let id = managed.set.id();
        for (index, member) in self.leaving.iter().enumerate() {
            let action = match member.delete(&run.requests, Terms { id: &id, all: false }).await {
                Ok(Deletion::Deleted | Deletion::Gone) => Action::Deleted,
                Ok(Deletion::Left) => Action::Left,
                Err(RequestError::Answered(status)) => {
                    let cause = if status.code == 403 { Cause::Rights } else { Cause::Other };
                    let message = answer::undeleted(&status, member.is_secret());
                    let message = format!("it left the set and cannot be deleted: {message}");
                    run.outcome.failures.push(Failure { cause, ..Failure::new(member.label(), message) });
                    continue;
                }
                Err(error) => return Err(error),
            };
            run.outcome.changed |= action == Action::Deleted;
            if let Some(entry) = run.gone.get_mut(index) {
                entry.1 = action;
            }
            (run.apply.tell)(Event::Did { object: &member.label(), action });
        }
        if !run.outcome.failures.is_empty() {
            return Ok(());
        }
        let mut parent = Parent { applied: Some(managed.applied.clone()), ..self.parent.clone() };
        parent.kinds = self.kinds.clone();
        parent.namespaces = self.namespaces.clone();
        // What is deleted may take its time, and is looked for once more by the next apply.
        for member in self.leaving.iter().chain(&self.staying).chain(&self.hooks) {
            parent.kinds.insert(member.group_kind());
            parent.namespaces.insert(member.namespace().to_owned());
        }
        parent.namespaces.remove("");
        parent.write(&run.requests, &managed.set, None).await
    }
}

impl Target<'_> {
    /// Group, kind, namespace and name.
    pub(crate) fn identity(&self) -> [String; 4] {
        let object = self.object;
        [object.group(), object.kind(), &self.namespace, object.name()].map(ToOwned::to_owned)
    }
}
