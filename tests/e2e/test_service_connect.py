"""Service Connect on the real binary: services reach each other by name, whatever becomes of the tasks behind."""

import connect
import vpc


def namespace(longshore, name):
    """Made as the default of a cluster of its own, as the API makes one."""
    made = longshore.ecs.create_cluster(clusterName=name, serviceConnectDefaults={"namespace": name})["cluster"]
    assert made["serviceConnectDefaults"]["namespace"].startswith("arn:aws:servicediscovery:")
    return made["serviceConnectDefaults"]["namespace"]


def test_a_client_reaches_a_service_by_its_alias_and_by_the_default_name(longshore):
    of = namespace(longshore, "shop")
    definition = connect.server(longshore, "shop-server")
    connect.create(longshore, "api", definition, connect.configuration(of, connect.exposed("web", "api", 8080)), 2)
    named = connect.exposed("web", None, 8081, discoveryName="plain")
    connect.create(longshore, "plain", definition, connect.configuration(of, named))
    connect.running(longshore, "api", 2)
    connect.running(longshore, "plain")
    connect.create(longshore, "client", connect.sleeper(longshore, "shop-client"), connect.configuration(of))
    client, = connect.running(longshore, "client")
    hosts = connect.hosts(longshore.data, client)
    assert "127.255.0.1\tapi\n" in hosts and "127.255.0.2\tplain.shop\n" in hosts
    assert connect.curl(longshore.data, client, "http://api:8080/")[0] == 200
    assert connect.curl(longshore.data, client, "http://plain.shop:8081/")[0] == 200
    services = longshore.ecs.list_services_by_namespace(namespace="shop")["serviceArns"]
    assert [arn.rsplit("/", 1)[1] for arn in services] == ["api", "client", "plain"]
    connect.remove(longshore, "client", "api", "plain")
