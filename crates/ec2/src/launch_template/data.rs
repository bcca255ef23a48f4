//! What a version of a launch template says.
//!
//! It is taken as it is given: AWS checks most of it only when an instance is launched. What it checks
//! before is here. Rules: EC2 API reference, RequestLaunchTemplateData and InstanceRequirementsRequest; EC2
//! user guide, "Run commands on your Linux instance at launch" (length of user data).

use crate::errors::{code, invalid_combination, missing};
use aws_api::ec2::{
    InstanceRequirementsRequest, LaunchTemplateBlockDeviceMappingRequest, RequestLaunchTemplateData,
};
use aws_types::AwsError;

/// Bytes of user data, before base64.
const USER_DATA_MAX: usize = 16_384;

/// The data of a call.
///
/// # Errors
/// `MissingParameter` where it says nothing.
pub fn given(
    data: Option<&RequestLaunchTemplateData>,
) -> Result<&RequestLaunchTemplateData, AwsError> {
    data.filter(|data| **data != RequestLaunchTemplateData::default())
        .ok_or_else(|| missing("LaunchTemplateData"))
}

/// That a version may say so.
///
/// # Errors
/// `MissingParameter`, `InvalidParameterCombination`, `InvalidUserData.Malformed`.
pub fn check(data: &RequestLaunchTemplateData) -> Result<(), AwsError> {
    let user_data = data.user_data.as_deref().unwrap_or_default();
    if decoded_len(user_data) > USER_DATA_MAX {
        return Err(code("InvalidUserData.Malformed")
            .with(format!("User data is limited to {USER_DATA_MAX} bytes.")));
    }
    let credit = data.credit_specification.as_ref();
    present(
        credit,
        |one| one.cpu_credits.is_some(),
        "CreditSpecification.CpuCredits",
    )?;
    for gpu in data.elastic_gpu_specifications.iter().flatten() {
        present(
            Some(gpu),
            |one| one.r#type.is_some(),
            "ElasticGpuSpecification.Type",
        )?;
    }
    for one in data.elastic_inference_accelerators.iter().flatten() {
        present(
            Some(one),
            |one| one.r#type.is_some(),
            "ElasticInferenceAccelerator.Type",
        )?;
    }
    match &data.instance_requirements {
        Some(_) if data.instance_type.is_some() => Err(invalid_combination(
            "A launch template can specify either InstanceType or InstanceRequirements, not both.",
        )),
        Some(requirements) => check_requirements(requirements),
        None => Ok(()),
    }
}

fn check_requirements(given: &InstanceRequirementsRequest) -> Result<(), AwsError> {
    let has_cpus = given
        .v_cpu_count
        .as_ref()
        .is_some_and(|range| range.min.is_some());
    present(
        Some(given),
        |_| has_cpus,
        "InstanceRequirements.VCpuCount.Min",
    )?;
    let has_memory = given
        .memory_mi_b
        .as_ref()
        .is_some_and(|range| range.min.is_some());
    present(
        Some(given),
        |_| has_memory,
        "InstanceRequirements.MemoryMiB.Min",
    )?;
    let names = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    match names(&given.allowed_instance_types) && names(&given.excluded_instance_types) {
        false => Ok(()),
        true => Err(invalid_combination(
            "InstanceRequirements can specify either AllowedInstanceTypes or ExcludedInstanceTypes, not both.",
        )),
    }
}

/// That a part which is given has a member that it must have.
fn present<T>(part: Option<&T>, has: impl Fn(&T) -> bool, name: &str) -> Result<(), AwsError> {
    match part.is_none_or(has) {
        true => Ok(()),
        false => Err(missing(&format!("LaunchTemplateData.{name}"))),
    }
}

/// How many bytes a text in base64 stands for; AWS does not ask here whether it is one.
fn decoded_len(text: &str) -> usize {
    let digits = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=');
    digits.count() * 3 / 4
}

/// Each of these members from the first that has it.
macro_rules! either {
    ($over:ident, $base:ident: $($member:ident),* $(,)?) => {
        RequestLaunchTemplateData {
            $($member: $over.$member.clone().or_else(|| $base.$member.clone())),*
        }
    };
}

/// What a new version says that was made from a source: its own members over the source's, each as a
/// whole; of the source's block devices all but their snapshots.
#[must_use]
pub fn merged(
    source: &RequestLaunchTemplateData,
    over: &RequestLaunchTemplateData,
) -> RequestLaunchTemplateData {
    let devices = source.block_device_mappings.as_ref();
    let base = RequestLaunchTemplateData {
        block_device_mappings: devices
            .map(|devices| devices.iter().map(without_snapshot).collect()),
        ..source.clone()
    };
    either!(over, base:
        block_device_mappings, capacity_reservation_specification, cpu_options, credit_specification,
        disable_api_stop, disable_api_termination, ebs_optimized, elastic_gpu_specifications,
        elastic_inference_accelerators, enclave_options, hibernation_options, iam_instance_profile, image_id,
        instance_initiated_shutdown_behavior, instance_market_options, instance_requirements, instance_type,
        kernel_id, key_name, license_specifications, maintenance_options, metadata_options, monitoring,
        network_interfaces, network_performance_options, operator, placement, private_dns_name_options,
        ram_disk_id, secondary_interfaces, security_group_ids, security_groups, tag_specifications, user_data,
    )
}

fn without_snapshot(
    device: &LaunchTemplateBlockDeviceMappingRequest,
) -> LaunchTemplateBlockDeviceMappingRequest {
    let mut device = device.clone();
    if let Some(ebs) = &mut device.ebs {
        ebs.snapshot_id = None;
    }
    device
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::ec2::{
        CreditSpecificationRequest, ElasticGpuSpecification, LaunchTemplateEbsBlockDeviceRequest,
        LaunchTemplateElasticInferenceAccelerator, MemoryMiBRequest, VCpuCountRangeRequest,
    };

    fn requirements() -> InstanceRequirementsRequest {
        InstanceRequirementsRequest {
            v_cpu_count: Some(VCpuCountRangeRequest {
                min: Some(2),
                max: None,
            }),
            memory_mi_b: Some(MemoryMiBRequest {
                min: Some(512),
                max: None,
            }),
            ..InstanceRequirementsRequest::default()
        }
    }

    fn with(change: impl FnOnce(&mut RequestLaunchTemplateData)) -> RequestLaunchTemplateData {
        let mut data = RequestLaunchTemplateData::default();
        change(&mut data);
        data
    }

    fn with_requirements(
        change: impl FnOnce(&mut InstanceRequirementsRequest),
    ) -> RequestLaunchTemplateData {
        let mut requirements = requirements();
        change(&mut requirements);
        with(|data| data.instance_requirements = Some(requirements))
    }

    #[test]
    fn what_aws_refuses_before_a_launch_is_refused() {
        let names = || Some(vec!["c5.*".to_owned()]);
        for (data, expected) in [
            (with(|data| data.instance_type = Some("x9.odd".into())), ""),
            (with(|data| data.user_data = Some("A".repeat(21_844))), ""),
            (
                with(|data| data.user_data = Some(format!("{}=", "A".repeat(21_846)))),
                "",
            ),
            (
                with(|data| data.user_data = Some("A".repeat(21_848))),
                "InvalidUserData.Malformed: User data is limited to 16384 bytes.",
            ),
            (
                with(|data| {
                    data.credit_specification = Some(CreditSpecificationRequest::default());
                }),
                "MissingParameter: The request must contain the parameter LaunchTemplateData.CreditSpecification.CpuCredits",
            ),
            (
                with(|data| {
                    data.elastic_gpu_specifications =
                        Some(vec![ElasticGpuSpecification::default()]);
                }),
                "MissingParameter: The request must contain the parameter LaunchTemplateData.ElasticGpuSpecification.Type",
            ),
            (
                with(|data| {
                    let one = LaunchTemplateElasticInferenceAccelerator::default();
                    data.elastic_inference_accelerators = Some(vec![one]);
                }),
                "MissingParameter: The request must contain the parameter LaunchTemplateData.ElasticInferenceAccelerator.Type",
            ),
            (with_requirements(|_| ()), ""),
            (
                with_requirements(|one| one.v_cpu_count = None),
                "MissingParameter: The request must contain the parameter LaunchTemplateData.InstanceRequirements.VCpuCount.Min",
            ),
            (
                with_requirements(|one| one.memory_mi_b = Some(MemoryMiBRequest::default())),
                "MissingParameter: The request must contain the parameter LaunchTemplateData.InstanceRequirements.MemoryMiB.Min",
            ),
            (
                with_requirements(|one| {
                    one.allowed_instance_types = names();
                    one.excluded_instance_types = names();
                }),
                "InvalidParameterCombination: InstanceRequirements can specify either AllowedInstanceTypes or \
                 ExcludedInstanceTypes, not both.",
            ),
            (
                with(|data| {
                    data.instance_type = Some("c5.large".into());
                    data.instance_requirements = Some(requirements());
                }),
                "InvalidParameterCombination: A launch template can specify either InstanceType or \
                 InstanceRequirements, not both.",
            ),
        ] {
            let said = check(&data).err().map(|error| error.to_string());
            assert_eq!(said.unwrap_or_default(), expected);
        }
        for nothing in [None, Some(&RequestLaunchTemplateData::default())] {
            assert_eq!(given(nothing).unwrap_err().code().name, "MissingParameter");
        }
    }

    #[test]
    fn a_version_says_its_own_over_its_sources_but_for_snapshots() {
        let device = |snapshot: &str| LaunchTemplateBlockDeviceMappingRequest {
            device_name: Some("/dev/sda1".into()),
            ebs: Some(LaunchTemplateEbsBlockDeviceRequest {
                snapshot_id: Some(snapshot.into()),
                volume_size: Some(8),
                ..LaunchTemplateEbsBlockDeviceRequest::default()
            }),
            ..LaunchTemplateBlockDeviceMappingRequest::default()
        };
        let source = with(|data| {
            data.image_id = Some("ami-1".into());
            data.key_name = Some("key".into());
            data.user_data = Some("AAAA".into());
            data.block_device_mappings = Some(vec![device("snap-1")]);
        });
        let over = with(|data| {
            data.image_id = Some("ami-2".into());
            data.user_data = Some(String::new());
        });
        let made = merged(&source, &over);
        assert_eq!(made.image_id.as_deref(), Some("ami-2"));
        assert_eq!(made.key_name.as_deref(), Some("key"));
        assert_eq!(made.user_data.as_deref(), Some(""));
        let ebs = made.block_device_mappings.unwrap().remove(0).ebs.unwrap();
        assert_eq!((ebs.snapshot_id, ebs.volume_size), (None, Some(8)));
        let own = with(|data| data.block_device_mappings = Some(vec![device("snap-2")]));
        let made = merged(&source, &own);
        assert_eq!(made.block_device_mappings, own.block_device_mappings);
    }
}
