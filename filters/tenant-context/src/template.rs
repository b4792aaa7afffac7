//! Templates with one `{tenant}`: for hosts and DNS names by label, for paths and SPIFFE IDs by segment.

/// The text that `{tenant}` stands for in `name` under a template of labels, as `{tenant}.shop.example`.
///
/// INVARIANT: a name in the tenants' own space that names no tenant (empty, or deeper: `a.b`) comes back
/// as it is, for the caller to refuse as no tenant id: passed over, it would be a way around the source.
pub(crate) fn label<'a>(template: &str, name: &'a str) -> Option<&'a str> {
    let (before, after) = template.split_once("{tenant}")?;
    name.strip_prefix(before)?.strip_suffix(after)
}

/// The segment that `{tenant}` stands for in `text` under a template of segments divided by `/`.
/// Other parameters stand for any one segment, and are not empty. With `prefix`, more may follow.
pub(crate) fn segment<'a>(template: &str, text: &'a str, prefix: bool) -> Option<&'a str> {
    let mut tenant = None;
    let mut given = text.split('/');
    for wanted in template.split('/') {
        let segment = given.next()?;
        if wanted == "{tenant}" {
            tenant = Some(segment);
        } else if wanted.starts_with('{') && wanted.ends_with('}') {
            if segment.is_empty() {
                return None;
            }
        } else if wanted != segment {
            return None;
        }
    }
    if !prefix && given.next().is_some() {
        return None;
    }
    tenant.filter(|t| !t.is_empty())
}

/// Whether `id` fits `pattern`, in which `*` stands for one whole segment.
pub(crate) fn fits(pattern: &str, id: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), id.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(w), Some(g)) if w == g => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        assert_eq!(label("{tenant}.shop.example", "acme.shop.example"), Some("acme"));
        assert_eq!(label("shop-{tenant}.example", "shop-acme.example"), Some("acme"));
        assert_eq!(label("{tenant}.shop.example", ".shop.example"), Some(""));
        assert_eq!(label("{tenant}.shop.example", "a.b.shop.example"), Some("a.b"));
        for name in ["shop.example", "acme.shop.example.evil", "acme.shop.examplf"] {
            assert_eq!(label("{tenant}.shop.example", name), None, "{name}");
        }
        assert_eq!(label("a{tenant}a", "a"), None, "the two sides may not overlap");
    }

    #[test]
    fn segments() {
        let spiffe = "spiffe://mesh.example/tenant/{tenant}/sa/{workload}";
        assert_eq!(segment(spiffe, "spiffe://mesh.example/tenant/acme/sa/web", false), Some("acme"));
        for id in [
            "spiffe://other.example/tenant/acme/sa/web",
            "spiffe://mesh.example/tenant/acme/sa/",
            "spiffe://mesh.example/tenant/acme/sa",
            "spiffe://mesh.example/tenant//sa/web",
            "spiffe://mesh.example/tenant/acme/sa/web/more",
        ] {
            assert_eq!(segment(spiffe, id, false), None, "{id}");
        }
        for path in ["/t/acme", "/t/acme/", "/t/acme/orders/1"] {
            assert_eq!(segment("/t/{tenant}", path, true), Some("acme"), "{path}");
        }
        for path in ["/t", "/t/", "/x/acme", "/tt/acme"] {
            assert_eq!(segment("/t/{tenant}", path, true), None, "{path}");
        }
    }

    #[test]
    fn patterns() {
        assert!(fits("spiffe://mesh.example/ns/*/sa/gateway", "spiffe://mesh.example/ns/edge/sa/gateway"));
        assert!(fits("spiffe://mesh.example/a", "spiffe://mesh.example/a"));
        for id in [
            "spiffe://mesh.example/ns//sa/gateway",
            "spiffe://mesh.example/ns/a/b/sa/gateway",
            "spiffe://mesh.example/ns/a/sa",
        ] {
            assert!(!fits("spiffe://mesh.example/ns/*/sa/gateway", id), "{id}");
        }
    }
}
