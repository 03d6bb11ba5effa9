//! Messages in the forms of real controllers.

use super::*;

const SYNC: &str = "SyncLoadBalancerFailed";

#[test]
fn the_words_of_what_makes_load_balancers_are_read() {
    for (reason, message, refusal) in [
        // AWS, within Kubernetes.
        (
            SYNC,
            "Error syncing load balancer: failed to ensure load balancer: TooManyLoadBalancers: \
             Exceeded quota of account 1\n\tstatus code: 400, request id: a",
            Quota,
        ),
        (
            "CreatingLoadBalancerFailed",
            "Error creating load balancer (will retry): could not find any suitable subnets for \
             creating the ELB",
            Subnets,
        ),
        (
            SYNC,
            "Error syncing load balancer: failed to ensure load balancer: AccessDenied: user may \
             not elasticloadbalancing:CreateLoadBalancer",
            Permissions,
        ),
        (
            SYNC,
            "Error syncing load balancer: failed to ensure load balancer: RequestLimitExceeded: \
             Request limit exceeded.",
            Other,
        ),
        // The AWS load balancer controller.
        (
            "FailedBuildModel",
            "Failed build model due to couldn't auto-discover subnets: unable to resolve at least \
             one subnet",
            Subnets,
        ),
        (
            "FailedBuildModel",
            "Failed build model due to couldn't auto-discover subnets: UnauthorizedOperation: not \
             allowed\n\tstatus code: 403",
            Permissions,
        ),
        (
            "FailedBuildModel",
            "Failed build model due to unable to fetch subnets: NoCredentialProviders: no valid \
             providers in chain",
            Permissions,
        ),
        (
            "FailedDeployModel",
            "Failed deploy model due to InvalidSubnet: Not enough IP space available in subnet-1",
            Subnets,
        ),
        (
            "FailedDeployModel",
            "Failed deploy model due to TooManyTargetGroups: the maximum number is reached",
            Quota,
        ),
        (
            "FailedDeployModel",
            "Failed deploy model due to operation error Elastic Load Balancing v2: https response \
             error StatusCode: 403, api error",
            Permissions,
        ),
        // GKE: its quotas are forbidden, too.
        (
            SYNC,
            "Error syncing load balancer: failed to ensure load balancer: googleapi: Error 403: \
             Quota 'IN_USE_ADDRESSES' exceeded. Limit: 8.0 in region r., quotaExceeded",
            Quota,
        ),
        (
            SYNC,
            "Error syncing load balancer: googleapi: Error 403: Required \
             'compute.forwardingRules.create' permission for 'p', forbidden",
            Permissions,
        ),
        (
            "SyncExternalLoadBalancerFailed",
            "Error ensuring load balancer: googleapi: Error 400: Invalid value for field \
             'resource.IPAddress': '192.0.2.1'. Specified IP address is in-use and would result in \
             a conflict., invalid",
            Conflict,
        ),
        (
            SYNC,
            "Error syncing load balancer: googleapi: Error 409: IP_IN_USE_BY_ANOTHER_RESOURCE",
            Conflict,
        ),
        // Azure.
        (
            SYNC,
            "Error syncing load balancer: failed to ensure load balancer: Retriable: false, \
             HTTPStatusCode: 400, RawError: {\"code\":\"PublicIPCountLimitReached\"}",
            Quota,
        ),
        (
            SYNC,
            "Error syncing load balancer: failed to ensure load balancer: Retriable: false, \
             HTTPStatusCode: 403, RawError: {\"code\":\"AuthorizationFailed\",\"message\":\"may \
             not read virtualNetworks/subnets\"}",
            Permissions,
        ),
        (SYNC, "Error syncing load balancer: Code=\"LinkedAuthorizationFailed\"", Permissions),
        (SYNC, "Error syncing load balancer: Code=\"SubnetIsFull\"", Subnets),
        (SYNC, "Error syncing load balancer: Code=\"PublicIPAddressInUse\"", Conflict),
        (
            SYNC,
            "Error syncing load balancer: the etag of the scale set is another by now (412)",
            Other,
        ),
        // Oracle, Hetzner, OpenStack, NSX.
        (
            SYNC,
            "Error syncing load balancer: creating load balancer: Service error:LimitExceeded. \
             The following service limits were exceeded: lb-count",
            Quota,
        ),
        (
            SYNC,
            "Error syncing load balancer: target n1: a load balancer cannot have more than 25 \
             targets (resource_limit_exceeded)",
            Quota,
        ),
        (SYNC, "Error syncing load balancer: Quota exceeded for resources: ['port'].", Quota),
        (SYNC, "relatedErrors: Exceed maximum number of virtual servers", Quota),
        (SYNC, "No more IP addresses available on network 1.", NoAddresses),
        (SYNC, "Error syncing load balancer: no location is set for the load balancer", Other),
        (SYNC, "failed to ensure load balancer: context deadline exceeded", Other),
        // The controller of services itself, and Alibaba's.
        ("UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer", NoNodes),
        ("UnAvailableLoadBalancer", "", NoNodes),
        // MetalLB.
        (
            "AllocationFailed",
            "Failed to allocate IP for \"shop/web\": no available IPs",
            NoAddresses,
        ),
        (
            "AllocationFailed",
            "Failed to allocate IP for \"shop/web\": no available IPs in pool \"small\"",
            NoAddresses,
        ),
        (
            "AllocationFailed",
            "Failed to allocate IP for \"shop/web\": [\"<nil>\"] is not allowed in config",
            NoAddresses,
        ),
        (
            "AllocationFailed",
            "Failed to allocate IP for \"shop/web\": can't change sharing key for \"shop/web\", \
             address also in use by shop/api",
            Conflict,
        ),
        (
            "AllocationFailed",
            "Failed to allocate IP for \"shop/web\": [\"192.0.2.9\"] is not allowed in config",
            Other,
        ),
    ] {
        assert_eq!(Refusal::of(reason, message), Some(refusal), "{reason} {message}");
    }
}

#[test]
fn what_is_said_of_a_service_and_not_of_its_load_balancer_is_left_out() {
    for (reason, message) in [
        ("FailedToUpdateEndpointSlices", "Error updating: forbidden: exceeded quota: a"),
        ("ClusterIPOutOfRange", "Cluster IP [IPv4]: 192.0.2.1 is not within the range"),
        ("PortAlreadyAllocated", "Port 30080 was assigned to multiple services"),
        ("", "AccessDenied"),
    ] {
        assert_eq!(Refusal::of(reason, message), None, "{reason} {message}");
    }
}

#[test]
fn conditions_have_reasons_of_their_own() {
    for (reason, refusal) in [
        ("no_pool", NoAddresses),
        ("out_of_ips", NoAddresses),
        ("already_allocated", Conflict),
        ("already_allocated_incompatible_service", Conflict),
        ("invalid_ip", Other),
        ("", Other),
    ] {
        assert_eq!(Refusal::of_condition(reason), refusal, "{reason}");
    }
}

#[test]
fn a_message_is_kept_as_one_short_line_whatever_it_is() {
    assert_eq!(&*cut("A", "  one\n\ttwo\u{1b}[0m \"three\"."), "A: one two [0m 'three'");
    assert_eq!(&*cut("A", "\u{202e}gpj.exe\u{2066}\u{200b}"), "A: gpj.exe");
    assert_eq!(&*cut("A", ""), "A");
    let long = cut("A", &"é ".repeat(100_000));
    assert!(long.ends_with('…') && long.chars().count() <= KEPT + 1, "{long}");
    let blank = cut("", &" ".repeat(1 << 20));
    assert_eq!(&*blank, "");
    // One that goes on for ever is neither read nor kept whole.
    let hidden = format!("{} AccessDenied", "x".repeat(MOST));
    assert_eq!(Refusal::of(SYNC, &hidden), Some(Other));
    assert_eq!(Refusal::of(SYNC, &"é".repeat(MOST)), Some(Other));
}
