//! What a version of a launch template says, as answers have it: member for member as it was given.
//!
//! Rule: EC2 API reference, RequestLaunchTemplateData and ResponseLaunchTemplateData, whose members have
//! the same names and other names on the wire.

use aws_api::ec2::{
    AcceleratorCount, AcceleratorCountRequest, AcceleratorTotalMemoryMiB,
    AcceleratorTotalMemoryMiBRequest, BaselineEbsBandwidthMbps, BaselineEbsBandwidthMbpsRequest,
    BaselinePerformanceFactors, BaselinePerformanceFactorsRequest, CapacityReservationTarget,
    CapacityReservationTargetResponse, ConnectionTrackingSpecification,
    ConnectionTrackingSpecificationRequest, CpuPerformanceFactor, CpuPerformanceFactorRequest,
    CreditSpecification, CreditSpecificationRequest, ElasticGpuSpecification,
    ElasticGpuSpecificationResponse, EnaSrdSpecificationRequest, EnaSrdUdpSpecificationRequest,
    InstanceIpv6Address, InstanceIpv6AddressRequest, InstanceRequirements,
    InstanceRequirementsRequest, Ipv4PrefixSpecificationRequest, Ipv4PrefixSpecificationResponse,
    Ipv6PrefixSpecificationRequest, Ipv6PrefixSpecificationResponse,
    LaunchTemplateBlockDeviceMapping, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateCapacityReservationSpecificationRequest,
    LaunchTemplateCapacityReservationSpecificationResponse, LaunchTemplateCpuOptions,
    LaunchTemplateCpuOptionsRequest, LaunchTemplateEbsBlockDevice,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateElasticInferenceAccelerator,
    LaunchTemplateElasticInferenceAcceleratorResponse, LaunchTemplateEnaSrdSpecification,
    LaunchTemplateEnaSrdUdpSpecification, LaunchTemplateEnclaveOptions,
    LaunchTemplateEnclaveOptionsRequest, LaunchTemplateHibernationOptions,
    LaunchTemplateHibernationOptionsRequest, LaunchTemplateIamInstanceProfileSpecification,
    LaunchTemplateIamInstanceProfileSpecificationRequest, LaunchTemplateInstanceMaintenanceOptions,
    LaunchTemplateInstanceMaintenanceOptionsRequest, LaunchTemplateInstanceMarketOptions,
    LaunchTemplateInstanceMarketOptionsRequest, LaunchTemplateInstanceMetadataOptions,
    LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecification,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
    LaunchTemplateInstanceSecondaryInterfaceSpecification,
    LaunchTemplateInstanceSecondaryInterfaceSpecificationRequest,
    LaunchTemplateLicenseConfiguration, LaunchTemplateLicenseConfigurationRequest,
    LaunchTemplateNetworkPerformanceOptions, LaunchTemplateNetworkPerformanceOptionsRequest,
    LaunchTemplatePlacement, LaunchTemplatePlacementRequest, LaunchTemplatePrivateDnsNameOptions,
    LaunchTemplatePrivateDnsNameOptionsRequest, LaunchTemplateSpotMarketOptions,
    LaunchTemplateSpotMarketOptionsRequest, LaunchTemplateTagSpecification,
    LaunchTemplateTagSpecificationRequest, LaunchTemplatesMonitoring,
    LaunchTemplatesMonitoringRequest, MemoryGiBPerVCpu, MemoryGiBPerVCpuRequest, MemoryMiB,
    MemoryMiBRequest, NetworkBandwidthGbps, NetworkBandwidthGbpsRequest, NetworkInterfaceCount,
    NetworkInterfaceCountRequest, OperatorRequest, OperatorResponse, PerformanceFactorReference,
    PerformanceFactorReferenceRequest, PrivateIpAddressSpecification, RequestLaunchTemplateData,
    ResponseLaunchTemplateData, SecondaryInterfacePrivateIpAddressSpecification,
    SecondaryInterfacePrivateIpAddressSpecificationRequest, Tag, TotalLocalStorageGB,
    TotalLocalStorageGBRequest, VCpuCountRange, VCpuCountRangeRequest,
};
use aws_types::Timestamp;

/// The data of a version as answers have it.
#[must_use]
pub fn shown(data: &RequestLaunchTemplateData) -> ResponseLaunchTemplateData {
    data.shown()
}

/// A part of what was given, as answers have it.
trait Shown<T> {
    fn shown(&self) -> T;
}

impl<A: Shown<B>, B> Shown<Option<B>> for Option<A> {
    fn shown(&self) -> Option<B> {
        self.as_ref().map(Shown::shown)
    }
}

impl<A: Shown<B>, B> Shown<Vec<B>> for Vec<A> {
    fn shown(&self) -> Vec<B> {
        self.iter().map(Shown::shown).collect()
    }
}

/// What is the same in both.
macro_rules! same {
    ($($kind:ty),*) => {
        $(impl Shown<Self> for $kind {
            fn shown(&self) -> Self {
                self.clone()
            }
        })*
    };
}

same!(
    String,
    bool,
    i32,
    f64,
    Timestamp,
    Tag,
    PrivateIpAddressSpecification
);

/// Structures, all members of each: one that a later model adds on either side does not compile
/// before it stands here. After the semicolon: what the answer alone has.
macro_rules! shown {
    ($($given:ident => $answer:ident {
        $($member:ident),* $(; $($more:ident: $value:expr),*)?
    })*) => {
        $(impl Shown<$answer> for $given {
            fn shown(&self) -> $answer {
                let Self { $($member),* } = self;
                $answer { $($member: $member.shown(),)* $($($more: $value),*)? }
            }
        })*
    };
}

shown! {
    RequestLaunchTemplateData => ResponseLaunchTemplateData {
        kernel_id, ebs_optimized, iam_instance_profile, block_device_mappings, network_interfaces, image_id,
        instance_type, key_name, monitoring, placement, ram_disk_id, disable_api_termination,
        instance_initiated_shutdown_behavior, user_data, tag_specifications, elastic_gpu_specifications,
        elastic_inference_accelerators, security_group_ids, security_groups, instance_market_options,
        credit_specification, cpu_options, capacity_reservation_specification, license_specifications,
        hibernation_options, metadata_options, enclave_options, instance_requirements,
        private_dns_name_options, maintenance_options, disable_api_stop, operator,
        network_performance_options, secondary_interfaces
    }
    LaunchTemplateIamInstanceProfileSpecificationRequest => LaunchTemplateIamInstanceProfileSpecification {
        arn, name
    }
    LaunchTemplateBlockDeviceMappingRequest => LaunchTemplateBlockDeviceMapping {
        device_name, virtual_name, ebs, no_device
    }
    LaunchTemplateEbsBlockDeviceRequest => LaunchTemplateEbsBlockDevice {
        encrypted, delete_on_termination, iops, kms_key_id, snapshot_id, volume_size, volume_type,
        throughput, volume_initialization_rate, ebs_card_index
    }
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest => LaunchTemplateInstanceNetworkInterfaceSpecification {
        associate_carrier_ip_address, associate_public_ip_address, delete_on_termination, description,
        device_index, groups, interface_type, ipv6_address_count, ipv6_addresses, network_interface_id,
        private_ip_address, private_ip_addresses, secondary_private_ip_address_count, subnet_id,
        network_card_index, ipv4_prefixes, ipv4_prefix_count, ipv6_prefixes, ipv6_prefix_count,
        primary_ipv6, ena_srd_specification, connection_tracking_specification, ena_queue_count
    }
    InstanceIpv6AddressRequest => InstanceIpv6Address { ipv6_address; is_primary_ipv6: None }
    Ipv4PrefixSpecificationRequest => Ipv4PrefixSpecificationResponse { ipv4_prefix }
    Ipv6PrefixSpecificationRequest => Ipv6PrefixSpecificationResponse { ipv6_prefix }
    EnaSrdSpecificationRequest => LaunchTemplateEnaSrdSpecification { ena_srd_enabled, ena_srd_udp_specification }
    EnaSrdUdpSpecificationRequest => LaunchTemplateEnaSrdUdpSpecification { ena_srd_udp_enabled }
    ConnectionTrackingSpecificationRequest => ConnectionTrackingSpecification {
        tcp_established_timeout, udp_stream_timeout, udp_timeout
    }
    LaunchTemplatesMonitoringRequest => LaunchTemplatesMonitoring { enabled, metric_category_ids }
    LaunchTemplatePlacementRequest => LaunchTemplatePlacement {
        availability_zone, availability_zone_id, affinity, group_name, host_id, tenancy, spread_domain,
        host_resource_group_arn, partition_number, group_id
    }
    LaunchTemplateTagSpecificationRequest => LaunchTemplateTagSpecification { resource_type, tags }
    ElasticGpuSpecification => ElasticGpuSpecificationResponse { r#type }
    LaunchTemplateElasticInferenceAccelerator => LaunchTemplateElasticInferenceAcceleratorResponse { r#type, count }
    LaunchTemplateInstanceMarketOptionsRequest => LaunchTemplateInstanceMarketOptions { market_type, spot_options }
    LaunchTemplateSpotMarketOptionsRequest => LaunchTemplateSpotMarketOptions {
        max_price, spot_instance_type, block_duration_minutes, valid_until, instance_interruption_behavior
    }
    CreditSpecificationRequest => CreditSpecification { cpu_credits }
    LaunchTemplateCpuOptionsRequest => LaunchTemplateCpuOptions {
        core_count, threads_per_core, amd_sev_snp, nested_virtualization
    }
    LaunchTemplateCapacityReservationSpecificationRequest => LaunchTemplateCapacityReservationSpecificationResponse {
        capacity_reservation_preference, capacity_reservation_target
    }
    CapacityReservationTarget => CapacityReservationTargetResponse {
        capacity_reservation_id, capacity_reservation_resource_group_arn
    }
    LaunchTemplateLicenseConfigurationRequest => LaunchTemplateLicenseConfiguration { license_configuration_arn }
    LaunchTemplateHibernationOptionsRequest => LaunchTemplateHibernationOptions { configured }
    LaunchTemplateInstanceMetadataOptionsRequest => LaunchTemplateInstanceMetadataOptions {
        http_tokens, http_put_response_hop_limit, http_endpoint, http_protocol_ipv6, instance_metadata_tags;
        state: None
    }
    LaunchTemplateEnclaveOptionsRequest => LaunchTemplateEnclaveOptions { enabled }
    InstanceRequirementsRequest => InstanceRequirements {
        v_cpu_count, memory_mi_b, cpu_manufacturers, memory_gi_b_per_v_cpu, excluded_instance_types,
        instance_generations, spot_max_price_percentage_over_lowest_price,
        on_demand_max_price_percentage_over_lowest_price, bare_metal, burstable_performance,
        require_hibernate_support, network_interface_count, local_storage, local_storage_types,
        total_local_storage_gb, baseline_ebs_bandwidth_mbps, accelerator_types, accelerator_count,
        accelerator_manufacturers, accelerator_names, accelerator_total_memory_mi_b, network_bandwidth_gbps,
        allowed_instance_types, max_spot_price_as_percentage_of_optimal_on_demand_price,
        baseline_performance_factors, require_encryption_in_transit
    }
    VCpuCountRangeRequest => VCpuCountRange { min, max }
    MemoryMiBRequest => MemoryMiB { min, max }
    MemoryGiBPerVCpuRequest => MemoryGiBPerVCpu { min, max }
    NetworkInterfaceCountRequest => NetworkInterfaceCount { min, max }
    TotalLocalStorageGBRequest => TotalLocalStorageGB { min, max }
    BaselineEbsBandwidthMbpsRequest => BaselineEbsBandwidthMbps { min, max }
    AcceleratorCountRequest => AcceleratorCount { min, max }
    AcceleratorTotalMemoryMiBRequest => AcceleratorTotalMemoryMiB { min, max }
    NetworkBandwidthGbpsRequest => NetworkBandwidthGbps { min, max }
    BaselinePerformanceFactorsRequest => BaselinePerformanceFactors { cpu }
    CpuPerformanceFactorRequest => CpuPerformanceFactor { references }
    PerformanceFactorReferenceRequest => PerformanceFactorReference { instance_family }
    LaunchTemplatePrivateDnsNameOptionsRequest => LaunchTemplatePrivateDnsNameOptions {
        hostname_type, enable_resource_name_dns_a_record, enable_resource_name_dns_aaaa_record
    }
    LaunchTemplateInstanceMaintenanceOptionsRequest => LaunchTemplateInstanceMaintenanceOptions { auto_recovery }
    OperatorRequest => OperatorResponse { principal; managed: Some(true), hidden_by_default: None }
    LaunchTemplateNetworkPerformanceOptionsRequest => LaunchTemplateNetworkPerformanceOptions { bandwidth_weighting }
    LaunchTemplateInstanceSecondaryInterfaceSpecificationRequest => LaunchTemplateInstanceSecondaryInterfaceSpecification {
        delete_on_termination, device_index, private_ip_addresses, private_ip_address_count,
        secondary_subnet_id, interface_type, network_card_index
    }
    SecondaryInterfacePrivateIpAddressSpecificationRequest => SecondaryInterfacePrivateIpAddressSpecification {
        private_ip_address
    }
}
