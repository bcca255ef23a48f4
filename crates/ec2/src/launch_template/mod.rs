//! Launch templates: how one is named, found and given a version.
//!
//! * [`Reference`]: a template and which of its versions, as a machine's settings have it.
//! * [`data`]: what a version may say, and what it takes from its source. [`shown`]: how it is answered.
//!
//! What always holds: a template has its default version; a version never changes; no number comes twice.
//! Rule: EC2 user guide, "Store instance launch parameters in Amazon EC2 launch templates".

pub mod data;
mod shown;

pub use shown::shown;

use crate::errors::{code, invalid_combination, missing};
use crate::records::launch_template::{
    BY_NAME, LAUNCH_TEMPLATE_VERSIONS, LAUNCH_TEMPLATES, LaunchTemplateRecord,
    LaunchTemplateVersionRecord, VersionKey,
};
use crate::records::{ResourceKey, within};
use crate::resource::{Resource, unknown};
use aws_types::{AwsError, Scope};
use std::sync::Arc;
use store::World;

/// Characters of a name. Rule: EC2 API reference, CreateLaunchTemplate.
const NAME_LEN: std::ops::RangeInclusive<usize> = 3..=128;
/// Hexadecimal digits of an id, the older form's among them.
const ID_DIGITS: [usize; 2] = [8, 17];

/// How a call names a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// By `LaunchTemplateId`.
    Id(String),
    /// By `LaunchTemplateName`.
    Name(String),
}

impl Named {
    /// The template that a call names, by one of both; `what` is what the call does to it.
    ///
    /// # Errors
    /// `MissingParameter` without either, `InvalidParameterCombination` for both; an id or a name that is none.
    pub fn read(id: Option<&String>, name: Option<&String>, what: &str) -> Result<Self, AwsError> {
        let given = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
        match (given(id), given(name)) {
            (Some(_), Some(_)) => Err(invalid_combination(format!(
                "Either provide launch template ID or launch template name to {what}."
            ))),
            (None, None) => Err(missing("launch template ID or launch template name")),
            (Some(id), None) => Self::of_id(id),
            (None, Some(name)) => Self::of_name(name),
        }
    }

    /// By this id.
    ///
    /// # Errors
    /// `InvalidLaunchTemplateId.Malformed`.
    pub fn of_id(id: String) -> Result<Self, AwsError> {
        match id.starts_with("lt-") {
            true => Ok(Self::Id(id)),
            false => Err(unknown(LaunchTemplateRecord::KIND, &id)),
        }
    }

    /// By this name.
    ///
    /// # Errors
    /// `InvalidLaunchTemplateName.MalformedException`.
    pub fn of_name(name: String) -> Result<Self, AwsError> {
        check_name(&name)?;
        Ok(Self::Name(name))
    }

    /// The template.
    ///
    /// # Errors
    /// `InvalidLaunchTemplateId.NotFound`, `InvalidLaunchTemplateName.NotFoundException`.
    pub fn find<'w>(
        &self,
        world: &'w World,
        scope: &Scope,
    ) -> Result<&'w Arc<LaunchTemplateRecord>, AwsError> {
        self.look(world, scope).ok_or_else(|| match self {
            Self::Id(id) => code(LaunchTemplateRecord::KIND.not_found).with(format!(
                "The specified launch template, with template ID {id}, does not exist."
            )),
            Self::Name(name) => code(NAME_NOT_FOUND).with(format!(
                "The specified launch template, with template name {name}, does not exist."
            )),
        })
    }

    /// The template, if there is one.
    pub fn look<'w>(
        &self,
        world: &'w World,
        scope: &Scope,
    ) -> Option<&'w Arc<LaunchTemplateRecord>> {
        match self {
            Self::Id(id) => world.get(&LAUNCH_TEMPLATES, &ResourceKey::new(scope, id)),
            Self::Name(name) => of_name(world, scope, name),
        }
    }
}

/// The code for a name that no template has.
pub const NAME_NOT_FOUND: &str = "InvalidLaunchTemplateName.NotFoundException";

/// The template of this name.
#[must_use]
pub fn of_name<'w>(
    world: &'w World,
    scope: &Scope,
    name: &str,
) -> Option<&'w Arc<LaunchTemplateRecord>> {
    let key = within(scope, name);
    world.find(&LAUNCH_TEMPLATES, &BY_NAME, &key).next()
}

/// A name that a template may have.
///
/// # Errors
/// `InvalidLaunchTemplateName.MalformedException`.
pub fn check_name(name: &str) -> Result<(), AwsError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "()./_-".contains(c);
    match NAME_LEN.contains(&name.len()) && name.chars().all(is_plain) {
        true => Ok(()),
        false => Err(
            code("InvalidLaunchTemplateName.MalformedException").with(format!(
                "The specified launch template name is invalid. A launch template name must be between {} and {} \
             characters, and may contain letters, numbers, and the following characters: -()./_.",
                NAME_LEN.start(),
                NAME_LEN.end()
            )),
        ),
    }
}

/// Which version of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one of this number, from 1.
    Number(u64),
    /// `$Latest`.
    Latest,
    /// `$Default`.
    Default,
}

impl Version {
    /// `$Latest`, `$Default` or a number; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "$Latest" => Some(Self::Latest),
            "$Default" => Some(Self::Default),
            number => number_of(number).map(Self::Number),
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self, template: &LaunchTemplateRecord) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Latest => template.latest_version,
            Self::Default => template.default_version,
        }
    }

    /// The version, if the template has it.
    #[must_use]
    pub fn of<'w>(
        self,
        world: &'w World,
        template: &LaunchTemplateRecord,
    ) -> Option<&'w Arc<LaunchTemplateVersionRecord>> {
        let key = VersionKey {
            template: template.key.clone(),
            number: self.number(template),
        };
        world.get(&LAUNCH_TEMPLATE_VERSIONS, &key)
    }
}

/// The number of a version as it is written: digits alone.
#[must_use]
pub fn number_of(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number > 0)
}

/// The version of a template that a text names.
///
/// # Errors
/// `InvalidLaunchTemplateId.VersionNotFound`.
pub fn version<'w>(
    world: &'w World,
    template: &LaunchTemplateRecord,
    text: &str,
) -> Result<&'w Arc<LaunchTemplateVersionRecord>, AwsError> {
    let found = Version::parse(text).and_then(|version| version.of(world, template));
    found.ok_or_else(|| {
        code(VERSION_NOT_FOUND).with(format!(
            "Could not find the specified version {text} for the launch template with ID {}.",
            template.key.id
        ))
    })
}

/// The code for a version that a template has not.
pub const VERSION_NOT_FOUND: &str = "InvalidLaunchTemplateId.VersionNotFound";

/// A template and which of its versions: `TEMPLATE` or `TEMPLATE:VERSION`, the template by id or by
/// name, the version by number, `$Latest` or `$Default`. Without a version it is the default one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    template: Named,
    version: String,
}

impl Reference {
    /// Reads one.
    ///
    /// # Errors
    /// `InvalidLaunchTemplateName.MalformedException`; `InvalidLaunchTemplateId.VersionNotFound` for what no
    /// version can be called.
    pub fn parse(text: &str) -> Result<Self, AwsError> {
        let (template, version) = text.split_once(':').unwrap_or((text, "$Default"));
        let digits = template.strip_prefix("lt-").unwrap_or_default();
        let is_id = ID_DIGITS.contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if Version::parse(version).is_none() {
            return Err(code(VERSION_NOT_FOUND).with(format!(
                "The version of a launch template is a number, $Latest or $Default, and not {version:?}."
            )));
        }
        Ok(Self {
            template: match is_id {
                true => Named::of_id(template.into())?,
                false => Named::of_name(template.into())?,
            },
            version: version.into(),
        })
    }

    /// The version that is meant.
    ///
    /// # Errors
    /// As [`Named::find`] and [`version`].
    pub fn find<'w>(
        &self,
        world: &'w World,
        scope: &Scope,
    ) -> Result<&'w Arc<LaunchTemplateVersionRecord>, AwsError> {
        let template = self.template.find(world, scope)?;
        version(world, template, &self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_template_and_a_version_of_it() {
        let id = "lt-0123456789abcdef0";
        for (text, expected) in [
            (id, Some((Named::Id(id.into()), "$Default"))),
            ("lt-0123456789abcdef0:3", Some((Named::Id(id.into()), "3"))),
            ("web", Some((Named::Name("web".into()), "$Default"))),
            ("web:$Latest", Some((Named::Name("web".into()), "$Latest"))),
            (
                "lt-web:$Default",
                Some((Named::Name("lt-web".into()), "$Default")),
            ),
            (
                "a/b(c).d_e-f:12",
                Some((Named::Name("a/b(c).d_e-f".into()), "12")),
            ),
            ("", None),
            ("we", None),
            ("a name", None),
            ("web:", None),
            ("web:0", None),
            ("web:+1", None),
            ("web:latest", None),
            ("web:1:2", None),
        ] {
            let read = Reference::parse(text).ok();
            let read = read.map(|read| (read.template, read.version));
            let expected = expected.map(|(template, version)| (template, version.to_owned()));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_name_has_3_to_128_characters_of_those_that_aws_allows() {
        for (name, is_one) in [
            ("abc", true),
            ("ab", false),
            (&"a".repeat(128), true),
            (&"a".repeat(129), false),
            ("A0()./_-", true),
            ("web:1", false),
            ("web server", false),
            ("wéb", false),
        ] {
            assert_eq!(check_name(name).is_ok(), is_one, "{name}");
        }
    }
}
