//! The order of the house, read from its source: each module declares its files in the order in which they build on
//! one another, `lib.rs` its rooms, and nothing names what is declared after it, nor calls on `self` a method that a later
//! file adds to its type. Methods that are called on anything but `self`, and in macros, are not seen: that takes types.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, File, Item, ItemImpl, ItemMod, ItemUse, Type, UseTree};

/// A path as names, from the crate's root on.
type Names = Vec<String>;

/// A type and a method of it, by their names.
type Method = (String, String);

/// What a file names in the crate, tests apart.
#[derive(Default)]
struct Named {
    /// The module it is.
    module: Names,
    found: BTreeSet<Names>,
    /// The type whose `impl` is being read.
    of: Option<String>,
    methods: BTreeSet<Method>,
    calls: BTreeSet<Method>,
}

impl Named {
    /// Takes a path that is written in the module, if it leads anywhere in the crate.
    fn take(&mut self, written: &[String]) {
        let supers = written.iter().take_while(|name| *name == "super").count();
        let (from, rest) = match written.first().map(String::as_str) {
            Some("crate") => (&[][..], &written[1..]),
            Some("self") => (&self.module[..], &written[1..]),
            Some("super") if supers <= self.module.len() => {
                (&self.module[..self.module.len() - supers], &written[supers..])
            }
            _ => return,
        };
        self.found.insert([from, rest].concat());
    }

    fn take_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.take_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.take(&with(&name.ident)),
            UseTree::Rename(name) => self.take(&with(&name.ident)),
            UseTree::Glob(_) => self.take(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.take_tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item(&mut self, item: &'ast Item) {
        let is_test = match item {
            Item::Mod(item) => is_for_tests(&item.attrs),
            Item::Use(item) => is_for_tests(&item.attrs),
            Item::Fn(item) => is_for_tests(&item.attrs),
            Item::Impl(item) => is_for_tests(&item.attrs),
            _ => false,
        };
        if !is_test {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let name = match &*item.self_ty {
            Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        let before = std::mem::replace(&mut self.of, name);
        visit::visit_item_impl(self, item);
        self.of = before;
    }

    fn visit_impl_item_fn(&mut self, method: &'ast syn::ImplItemFn) {
        if let Some(of) = &self.of {
            self.methods.insert((of.clone(), method.sig.ident.to_string()));
        }
        visit::visit_impl_item_fn(self, method);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let on_self = matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self"));
        if let (Some(of), true) = (&self.of, on_self) {
            self.calls.insert((of.clone(), call.method.to_string()));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.take_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.take(&names);
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let meta = attribute.meta.require_list();
        attribute.path().is_ident("cfg") && meta.is_ok_and(|list| list.tokens.to_string().contains("test"))
    })
}

/// What is read of a file.
struct Read {
    /// What it names in the crate.
    named: BTreeSet<Names>,
    /// The methods it defines, and those it calls on `self`.
    methods: BTreeSet<Method>,
    calls: BTreeSet<Method>,
    /// The modules it declares, in order.
    modules: Names,
    /// Which of them each name is of that it exports.
    exports: BTreeMap<String, String>,
}

/// A source tree, each file of it parsed once.
struct Source {
    root: PathBuf,
    read: RefCell<BTreeMap<PathBuf, Rc<Read>>>,
}

impl Source {
    fn new(root: PathBuf) -> Self {
        let read = RefCell::default();
        Self { root, read }
    }

    fn read(&self, path: &Path) -> Rc<Read> {
        if let Some(read) = self.read.borrow().get(path) {
            return Rc::clone(read);
        }
        let text = std::fs::read_to_string(path).unwrap();
        let file = syn::parse_file(&text).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        let mut named = Named {
            module: module_of(&self.root, path),
            ..Named::default()
        };
        named.visit_file(&file);
        let (modules, exports) = declared(&file);
        let read = Rc::new(Read {
            named: named.found,
            methods: named.methods,
            calls: named.calls,
            modules,
            exports,
        });
        self.read.borrow_mut().insert(path.to_owned(), Rc::clone(&read));
        read
    }
}

/// The files below a folder, or the one file.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).unwrap();
    let mut all: Vec<PathBuf> = entries.flat_map(|entry| files(&entry.unwrap().path())).collect();
    all.retain(|file| file.extension().is_some_and(|ending| ending == "rs"));
    all.sort();
    all
}

/// The module that a file is.
fn module_of(source: &Path, file: &Path) -> Names {
    let inside = file.strip_prefix(source).unwrap().with_extension("");
    let names = inside.iter().map(|name| name.to_str().unwrap().to_owned());
    names
        .filter(|name| !matches!(name.as_str(), "mod" | "lib"))
        .collect()
}

/// Of a file that declares modules: their names in order, and which of them each re-exported name is of.
fn declared(file: &File) -> (Names, BTreeMap<String, String>) {
    let modules = file.items.iter().filter_map(|item| match item {
        Item::Mod(ItemMod {
            attrs,
            ident,
            content,
            ..
        }) if content.is_none() && !is_for_tests(attrs) => Some(ident.to_string()),
        _ => None,
    });
    let modules: Names = modules.collect();
    let mut exports = BTreeMap::new();
    for item in &file.items {
        if let Item::Use(item) = item {
            leaves(&item.tree, &mut Vec::new(), &mut |path| {
                let first = path.first().filter(|first| modules.contains(first));
                if let (Some(first), Some(last)) = (first, path.last()) {
                    exports.insert(last.clone(), first.clone());
                }
            });
        }
    }
    (modules, exports)
}

fn leaves(tree: &UseTree, before: &mut Names, each: &mut dyn FnMut(&Names)) {
    let mut with = |name: String, then: &mut dyn FnMut(&mut Names)| {
        before.push(name);
        then(before);
        before.pop();
    };
    match tree {
        UseTree::Path(path) => with(path.ident.to_string(), &mut |before| {
            leaves(&path.tree, before, each);
        }),
        UseTree::Name(name) => with(name.ident.to_string(), &mut |path| each(path)),
        UseTree::Rename(name) => with(name.rename.to_string(), &mut |path| each(path)),
        UseTree::Glob(_) => {}
        UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, before, each);
            }
        }
    }
}

/// What in a folder uses what is declared after it, in words.
fn out_of_order(source: &Source, declaring: &Path) -> Vec<String> {
    let read = source.read(declaring);
    let Read { modules, exports, .. } = &*read;
    let folder = match declaring.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "lib.rs") => declaring.parent().unwrap().to_owned(),
        _ => declaring.with_extension(""),
    };
    let here = module_of(&source.root, declaring);
    let files_of: Vec<Vec<PathBuf>> = modules.iter().map(|module| files_of(&folder, module)).collect();
    let mut found = Vec::new();
    for (place, all) in files_of.iter().enumerate() {
        for file in all {
            let read = source.read(file);
            for (of, method) in later_methods(source, &read, &files_of[..=place], &files_of[place + 1..]) {
                found.push(format!("{} calls {of}::{method} of a later file", file.display()));
            }
            for path in read.named.iter().filter(|path| path.starts_with(&here)) {
                let Some(name) = path.get(here.len()) else {
                    continue;
                };
                let used = modules.iter().position(|module| module == name).or_else(|| {
                    let of = exports.get(name)?;
                    modules.iter().position(|module| module == of)
                });
                if used.is_some_and(|used| used > place) {
                    found.push(format!("{} uses {}", file.display(), path.join("::")));
                }
            }
        }
    }
    found
}

/// The files that a module is.
fn files_of(folder: &Path, module: &str) -> Vec<PathBuf> {
    let own = folder.join(format!("{module}.rs"));
    let mut all = if own.is_file() { vec![own] } else { Vec::new() };
    let below = folder.join(module);
    if below.is_dir() {
        all.extend(files(&below));
    }
    all
}

/// Which methods a file calls on `self` that its type has from files after it alone.
fn later_methods(
    source: &Source,
    read: &Read,
    until: &[Vec<PathBuf>],
    after: &[Vec<PathBuf>],
) -> Vec<Method> {
    let has = |files: &[Vec<PathBuf>], method: &Method| {
        let mut files = files.iter().flatten();
        files.any(|file| source.read(file).methods.contains(method))
    };
    let calls = read
        .calls
        .iter()
        .filter(|call| !has(until, call) && has(after, call));
    calls.cloned().collect()
}

fn source() -> Source {
    Source::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn a_room_uses_only_the_rooms_before_it() {
    let source = source();
    let found = out_of_order(&source, &source.root.join("lib.rs"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_file_uses_only_the_files_declared_before_it() {
    let source = source();
    let inside = |file: &PathBuf| !file.ends_with("src/lib.rs") && !file.ends_with("src/main.rs");
    let all = files(&source.root).into_iter().filter(inside);
    let wrong: Vec<String> = all.flat_map(|file| out_of_order(&source, &file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_circle_in_a_made_up_room_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let room = folder.path().join("room");
    std::fs::create_dir(&room).unwrap();
    let write = |file: &str, text: &str| std::fs::write(room.join(file), text).unwrap();
    write("mod.rs", "mod first;\nmod second;\npub use second::Second;\n");
    write(
        "second.rs",
        "use super::first::First;\npub struct Second(First);\nimpl First { fn later(&self) {} }\n",
    );
    for (text, circles) in [
        ("pub struct First;\n", 0),
        ("use super::second::Second;\n", 1),
        ("use crate::room::Second;\n", 1),
        ("fn f() -> super::Second { todo!() }\n", 1),
        ("#[cfg(test)]\nmod tests { use super::super::Second; }\n", 0),
        (
            "pub struct First;\nimpl First { fn f(&self) { self.later() } }\n",
            1,
        ),
        (
            "pub struct First;\nimpl First { fn f(&self) { self.g() } fn g(&self) {} }\n",
            0,
        ),
        (
            "pub struct First;\nimpl First { fn f(&self, other: Vec<u8>) { other.later() } }\n",
            0,
        ),
    ] {
        write("first.rs", text);
        let source = Source::new(folder.path().to_owned());
        let found = out_of_order(&source, &room.join("mod.rs"));
        assert_eq!(found.len(), circles, "{text}: {found:?}");
    }
}
