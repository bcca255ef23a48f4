//! EC2's error codes, with the texts that several operations share.
//!
//! Rule: EC2 API reference, "Error codes for the Amazon EC2 API"; semantics 11.

use aws_types::{AwsError, ErrorCode};

/// The id of a kind of resource names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The prefix of its ids.
    pub prefix: &'static str,
    /// AWS's word for it in "The WORD 'ID' does not exist".
    pub word: &'static str,
    /// The code.
    pub not_found: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $word:literal, $code:literal;)*) => {
        $($(#[$doc])* pub const $name: Kind = Kind { prefix: $prefix, word: $word, not_found: $code };)*
    };
}

kinds! {
    /// A VPC.
    VPC = "vpc", "vpc ID", "InvalidVpcID.NotFound";
    /// A subnet.
    SUBNET = "subnet", "subnet ID", "InvalidSubnetID.NotFound";
    /// A security group.
    GROUP = "sg", "security group", "InvalidGroup.NotFound";
    /// A network interface.
    INTERFACE = "eni", "networkInterface ID", "InvalidNetworkInterfaceID.NotFound";
    /// A route table.
    ROUTE_TABLE = "rtb", "routeTable ID", "InvalidRouteTableID.NotFound";
    /// An internet gateway.
    INTERNET_GATEWAY = "igw", "internetGateway ID", "InvalidInternetGatewayID.NotFound";
}

impl Kind {
    /// There is no such resource.
    #[must_use]
    pub fn missing(self, id: &str) -> AwsError {
        let text = format!("The {} '{id}' does not exist", self.word);
        code(self.not_found).with(text)
    }
}

/// EC2 answers every mistake of the caller's with 400.
#[must_use]
pub const fn code(name: &'static str) -> ErrorCode {
    ErrorCode::sender(name, 400)
}

/// `InsufficientFreeAddressesInSubnet`.
#[must_use]
pub fn no_free_address() -> AwsError {
    code("InsufficientFreeAddressesInSubnet")
        .with("The specified subnet does not have enough free addresses to satisfy the request.")
}
