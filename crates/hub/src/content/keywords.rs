//! What may stand in a schema: the keywords of JSON Schema 2020-12 and our own annotations. Whatever else does is refused,
//! since a misspelt keyword would allow everything.

/// What a keyword of a schema holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    /// Says something about the value itself.
    Assertion,
    /// Says nothing of what is allowed.
    Note,
    /// A schema for the same value.
    Same,
    /// Schemas for the same value.
    SameEach,
    /// Schemas for the same value, by a property that it has.
    SameByName,
    /// A schema that asks about the same value, and whose answer is turned round or only decides.
    Asked,
    /// A schema for members, elements or names.
    Inner(Inner),
    /// Schemas for members, by name or by pattern.
    InnerByName(Inner),
    /// Schemas for elements, by place.
    InnerEach,
    /// Schemas that are referred to.
    Definitions,
    /// A reference.
    Reference,
    /// Our annotation, or what tunes it.
    Sanitise,
}

/// Which of a value's inner values a schema is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inner {
    /// One of several members, or none.
    Member,
    /// A member whose name fits, beside others.
    MemberToo,
    /// A name.
    Name,
    /// An element.
    Element,
    /// An element, beside what else is said of it, and only if it fits.
    ElementToo,
}

/// What a keyword is; none if there is no such.
pub(super) fn keyword(name: &str) -> Option<Keyword> {
    Some(match name {
        "type" | "enum" | "const" | "multipleOf" | "maximum" | "exclusiveMaximum" | "minimum"
        | "exclusiveMinimum" | "maxLength" | "minLength" | "pattern" | "maxItems" | "minItems"
        | "uniqueItems" | "maxContains" | "minContains" | "maxProperties" | "minProperties"
        | "required" | "dependentRequired" | "format" => Keyword::Assertion,
        "$schema" | "$id" | "$comment" | "title" | "description" | "default" | "examples"
        | "deprecated" | "readOnly" | "writeOnly" => Keyword::Note,
        "then" | "else" => Keyword::Same,
        "allOf" | "anyOf" | "oneOf" => Keyword::SameEach,
        "dependentSchemas" => Keyword::SameByName,
        "not" | "if" => Keyword::Asked,
        "additionalProperties" => Keyword::Inner(Inner::Member),
        "unevaluatedProperties" => Keyword::Inner(Inner::MemberToo),
        "propertyNames" => Keyword::Inner(Inner::Name),
        "items" => Keyword::Inner(Inner::Element),
        "unevaluatedItems" | "contains" => Keyword::Inner(Inner::ElementToo),
        "properties" => Keyword::InnerByName(Inner::Member),
        "patternProperties" => Keyword::InnerByName(Inner::MemberToo),
        "prefixItems" => Keyword::InnerEach,
        "$defs" => Keyword::Definitions,
        "$ref" => Keyword::Reference,
        "x-sanitise" | "x-sanitise-allow" | "x-schemes" => Keyword::Sanitise,
        _ => return None,
    })
}

/// What to write instead of a keyword that there is not, or why not.
pub(super) fn remedy(name: &str) -> Option<String> {
    let why = match name {
        "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$recursiveRef" | "$recursiveAnchor" => {
            "references go by `$ref` to `#/$defs/...`"
        }
        "$vocabulary" => "a channel's schema is none that others are written in",
        "definitions" => "2020-12 calls it `$defs`",
        "dependencies" => "2020-12 has `dependentRequired` and `dependentSchemas`",
        "additionalItems" => "2020-12 has `prefixItems` and `items`",
        "contentEncoding" | "contentMediaType" | "contentSchema" => {
            "what a string encodes is not judged; use `pattern`, or a channel with `binary = true`"
        }
        // Whoever writes notes of another tool's is understood, unless one looks like ours.
        _ => {
            let near = |known: &&str| strsim::damerau_levenshtein(known, name) <= 2;
            let meant = ALL.into_iter().find(near)?;
            return Some(format!("did you mean `{meant}`?"));
        }
    };
    Some(why.to_owned())
}

/// The formats that are judged, each in one pass over the string.
pub(super) const FORMATS: [&str; 12] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uuid",
];

/// Every keyword, for suggestions.
const ALL: [&str; 53] = [
    "$comment",
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "then",
    "title",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    "writeOnly",
    "x-sanitise",
    "x-sanitise-allow",
    "x-schemes",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_that_is_suggested_is_one() {
        assert_eq!(ALL.into_iter().find(|name| keyword(name).is_none()), None);
    }
}
