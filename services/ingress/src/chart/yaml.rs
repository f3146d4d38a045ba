//! Writes a marked configuration as YAML with expressions of Helm.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::chart::compare::{Marks, children};

/// The text of `value`, which stands at `at`.
pub(super) fn write(value: &Value, marks: &Marks, at: &str) -> String {
    let writer = Writer { marks };
    let mut lines = Vec::new();
    let condition = writer.condition(value, at);
    lines.extend(condition.as_deref().map(open));
    writer.block(value, at, 0, &mut lines);
    lines.extend(condition.map(|_| CLOSE.to_owned()));
    lines.join("\n") + "\n"
}

const CLOSE: &str = "{{- end }}";

fn open(condition: &str) -> String {
    format!("{{{{- if {condition} }}}}")
}

struct Writer<'a> {
    marks: &'a Marks,
}

impl Writer<'_> {
    /// Writes the children of a list or a map, each under its condition.
    fn block(&self, value: &Value, at: &str, indent: usize, lines: &mut Vec<String>) {
        let repeated = self.marks.loops.get(at);
        lines.extend(repeated.map(|list| format!("{{{{- range {list} }}}}")));
        let mut condition = None;
        for (step, child) in children(value) {
            let at = format!("{at}/{step}");
            let own = self.condition(child, &at);
            if own != condition {
                lines.extend(condition.map(|_: String| CLOSE.to_owned()));
                lines.extend(own.as_deref().map(open));
                condition = own;
            }
            if value.is_array() {
                self.item(child, &at, indent, lines);
            } else {
                self.field(&step, child, &at, indent, lines);
            }
        }
        lines.extend(condition.or_else(|| repeated.cloned()).map(|_| CLOSE.to_owned()));
    }

    fn field(&self, key: &str, value: &Value, at: &str, indent: usize, lines: &mut Vec<String>) {
        let key = format!("{:indent$}{}:", "", if is_plain(key) { key.to_owned() } else { quoted(key) });
        if let Some(text) = self.scalar(value, at) {
            lines.push(format!("{key} {text}"));
            return;
        }
        lines.push(key);
        self.block(value, at, indent + 2, lines);
    }

    fn item(&self, value: &Value, at: &str, indent: usize, lines: &mut Vec<String>) {
        if let Some(text) = self.scalar(value, at) {
            lines.push(format!("{:indent$}- {text}", ""));
            return;
        }
        let mut block = Vec::new();
        self.block(value, at, indent + 2, &mut block);
        // The first line of the block stands behind the dash, unless it is Helm's.
        match block.first_mut() {
            Some(first) if !first.starts_with("{{") => first.replace_range(indent..=indent, "-"),
            _ => lines.push(format!("{:indent$}-", "")),
        }
        lines.append(&mut block);
    }

    /// What fits on one line.
    fn scalar(&self, value: &Value, at: &str) -> Option<String> {
        if let Some(expression) = self.marks.expressions.get(at) {
            return Some(expression.clone());
        }
        match value {
            Value::String(text) => Some(quoted(text)),
            Value::Array(items) if !items.is_empty() => None,
            Value::Object(fields) if !fields.is_empty() => None,
            other => Some(other.to_string()),
        }
    }

    /// Under which condition a value is there: its own, or one of those of all that is in it.
    fn condition(&self, value: &Value, at: &str) -> Option<String> {
        if let Some(own) = self.marks.conditions.get(at) {
            return Some(own.clone());
        }
        let inner = children(value);
        let inner: Option<BTreeSet<String>> =
            inner.into_iter().map(|(step, child)| self.condition(child, &format!("{at}/{step}"))).collect();
        let mut inner = inner?;
        let last = inner.pop_last()?;
        if inner.is_empty() {
            return Some(last);
        }
        let others: Vec<String> = inner.into_iter().collect();
        Some(format!("or {} {last}", others.join(" ")))
    }
}

fn is_plain(key: &str) -> bool {
    key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// JSON's form, which is YAML's too. Helm must not take a part of it as its own.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace("{{", "{{`{{`}}")
}
