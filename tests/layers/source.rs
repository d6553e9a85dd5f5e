//! Source files as a parser reads them: what each module names, without its unit tests.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, UseTree};

/// One file.
pub(super) struct Module {
    /// `["study", "pool"]`; empty for lib.rs.
    pub(super) path: Vec<String>,
    /// Absolute paths that it names, `["study", "record", "Status"]`, each with its line.
    pub(super) names: Vec<(Vec<String>, usize)>,
    /// What `use` brings into it: name -> absolute path. Its children see these names too.
    pub(super) imports: BTreeMap<String, Vec<String>>,
    /// Functions, macros and methods that it calls, as written, each with its line.
    pub(super) calls: Vec<(String, usize)>,
    /// Texts in quotes, without attributes and doc comments, each with its line.
    pub(super) texts: Vec<(String, usize)>,
    /// Lines with `unsafe`.
    pub(super) unsafe_lines: Vec<usize>,
    /// Lines without those of unit tests.
    pub(super) lines: usize,
}

impl Module {
    /// Parses a file; `children` are the modules below it, which it may name without a prefix.
    pub(super) fn parse(path: &[String], text: &str, children: &[String]) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let module = Self {
            path: path.to_vec(),
            names: Vec::new(),
            imports: BTreeMap::new(),
            calls: Vec::new(),
            texts: Vec::new(),
            unsafe_lines: Vec::new(),
            lines: text.lines().count(),
        };
        let mut reader = Reader { here: path.to_vec(), children, module };
        file.items.iter().for_each(|item| reader.visit_item(item));
        reader.module
    }
}

struct Reader<'c> {
    /// The module that is being read: that of the file, or one that stands within it.
    here: Vec<String>,
    children: &'c [String],
    module: Module,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl Reader<'_> {
    /// `super::a::b` seen from here -> `study::a::b`; `None` for what is not of this crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.here.clone(),
            child if self.children.iter().any(|known| known == child) => {
                return Some([&self.module.path, path].concat());
            }
            _ => return None,
        };
        let mut rest = path;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => {
                    base.pop();
                }
                _ => break,
            }
            rest = after;
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn name(&mut self, path: &[String], line: usize) {
        if let Some(path) = self.absolute(path) {
            self.module.names.push((path, line));
        }
    }

    fn use_tree(&mut self, before: &[String], tree: &UseTree, line: usize) {
        let joined = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.use_tree(&joined(&path.ident), &path.tree, line),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.use_tree(before, tree, line));
            }
            UseTree::Glob(_) => self.name(before, line),
            UseTree::Name(name) => {
                let is_self = name.ident == "self";
                let path = if is_self { before.to_vec() } else { joined(&name.ident) };
                self.import(path.last().cloned(), &path, line);
            }
            UseTree::Rename(rename) => {
                self.import(Some(rename.rename.to_string()), &joined(&rename.ident), line);
            }
        }
    }

    fn import(&mut self, name: Option<String>, path: &[String], line: usize) {
        self.name(path, line);
        if let (Some(name), Some(path)) = (name, self.absolute(path))
            && self.here == self.module.path
        {
            self.module.imports.insert(name, path);
        }
    }

    /// Names within a macro's arguments, which are no syntax yet.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut colons, mut line) = (0, 0);
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path, line);
                    }
                    line = ident.span().start().line;
                    if ident == "unsafe" {
                        self.module.unsafe_lines.push(line);
                    }
                    path.push(ident.to_string());
                    if matches!(trees.get(at + 1), Some(TokenTree::Punct(p)) if p.as_char() == '!')
                    {
                        self.module.calls.push((format!("{}!", path.join("::")), line));
                    }
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if text.contains('"') {
                        self.module.texts.push((text, literal.span().start().line));
                    }
                    self.end(&mut path, line);
                }
                TokenTree::Group(group) => {
                    self.end(&mut path, line);
                    self.tokens(group.stream());
                }
                _ => self.end(&mut path, line),
            }
        }
        self.end(&mut path, line);
    }

    fn end(&mut self, path: &mut Vec<String>, line: usize) {
        if path.len() > 1 {
            self.module.calls.push((path.join("::"), line));
            self.name(path, line);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test(attributes(item)) {
            let span = item.span();
            let first = attributes(item).first().map_or(span, Spanned::span).start().line;
            self.module.lines -= span.end().line + 1 - first;
            return;
        }
        match item {
            Item::Mod(inner) => {
                self.here.push(inner.ident.to_string());
                visit::visit_item(self, item);
                self.here.pop();
            }
            Item::Fn(function) if function.sig.unsafety.is_some() => {
                self.module.unsafe_lines.push(function.span().start().line);
                visit::visit_item(self, item);
            }
            Item::Impl(block) if block.unsafety.is_some() => {
                self.module.unsafe_lines.push(block.span().start().line);
                visit::visit_item(self, item);
            }
            Item::ForeignMod(block) => self.module.unsafe_lines.push(block.span().start().line),
            _ => visit::visit_item(self, item),
        }
    }

    /// Attributes and doc comments name nothing that is called or said.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.module.texts.push((text.value(), text.span().start().line));
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&[], &item.tree, item.span().start().line);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let line = path.span().start().line;
        self.name(&names, line);
        if names.len() > 1 {
            self.module.calls.push((names.join("::"), line));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func
            && let Some(name) = function.path.get_ident()
        {
            self.module.calls.push((name.to_string(), call.span().start().line));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.module.calls.push((format!(".{}", call.method), call.span().start().line));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.module.unsafe_lines.push(block.span().start().line);
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last().map(|segment| segment.ident.to_string());
        let line = call.path.span().start().line;
        self.module.calls.push((format!("{}!", name.unwrap_or_default()), line));
        self.tokens(call.tokens.clone());
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if function.sig.unsafety.is_some() {
            self.module.unsafe_lines.push(function.span().start().line);
        }
        visit::visit_impl_item_fn(self, function);
    }
}
