/// Corefiles as the distributions install them, tokens already filled in.
struct Deployment: Sendable, CustomStringConvertible {
  var name: String
  var text: String
  /// Zones, one list per block.
  var zones: [[String]]

  var description: String { name }
}

enum Deployments {
  static let all = [upstream, kubespray, kops, gardener, deliveryhero, ibm, aks]

  static let upstream = Deployment(
    name: "upstream",
    text: """
      cluster.local:53 {
          errors
          cache {
                  success 9984 30
                  denial 9984 5
          }
          reload
          loop
          bind 169.254.20.10 10.0.0.10
          forward . 10.0.0.11 {
                  force_tcp
          }
          prometheus :9253
          health 169.254.20.10:8080
          }
      in-addr.arpa:53 {
          errors
          cache 30
          reload
          loop
          bind 169.254.20.10 10.0.0.10
          forward . 10.0.0.11 {
                  force_tcp
          }
          prometheus :9253
          }
      ip6.arpa:53 {
          errors
          cache 30
          reload
          loop
          bind 169.254.20.10 10.0.0.10
          forward . 10.0.0.11 {
                  force_tcp
          }
          prometheus :9253
          }
      .:53 {
          errors
          cache 30
          reload
          loop
          bind 169.254.20.10 10.0.0.10
          forward . /etc/resolv.conf
          prometheus :9253
          }
      """, zones: [["cluster.local."], ["in-addr.arpa."], ["ip6.arpa."], ["."]])

  static let kubespray = Deployment(
    name: "kubespray",
    text: """
      corp.example. {
          errors
          cache 30
          bind 169.254.25.10
          forward corp.example. 10.10.0.2 10.10.0.3
          prometheus {$MY_HOST_IP}:9253
          health 169.254.25.10:9254
      }
      cluster.local:53 {
          errors
          cache {
              success 9984 30
              denial 9984 5
          }
          reload
          loop
          bind 169.254.25.10
          forward . 10.233.0.3 {
              force_tcp
          }
          prometheus {$MY_HOST_IP}:9253
          health 169.254.25.10:9254
      }
      .:53 {
          errors
          cache 30
          reload
          loop
          bind 169.254.25.10
          forward . /etc/resolv.conf
          prometheus {$MY_HOST_IP}:9253
      }
      """, zones: [["corp.example."], ["cluster.local."], ["."]])

  static let kops = Deployment(
    name: "kops",
    text: """
      cluster.local:53 {
        errors
        cache {
          success 9984 30
          denial 9984 5
        }
        reload
        loop
        bind 169.254.20.10
        forward . 100.64.0.10 {
          force_tcp
        }
        prometheus :9253
        health 169.254.20.10:3989
        dns64 64:ff9b::/96
      }
      .:53 {
        errors
        cache 30
        reload
        loop
        bind 169.254.20.10
        forward . 100.64.0.10
        prometheus :9253
      }
      """, zones: [["cluster.local."], ["."]])

  static let gardener = Deployment(
    name: "gardener",
    text: """
      cluster.local:53 {
          loop
          bind 169.254.20.10 100.104.0.10
          forward . 100.105.14.3 {
                  prefer_udp
          }
          prometheus :9253
          health 169.254.20.10:8099
          log
          errors
          cache {
                  success 9984 30
                  denial 9984 5
          }
          reload
          import custom/*.override
          }
      .:53 {
          loop
          bind 169.254.20.10 100.104.0.10
          forward . /etc/resolv.conf {
                  prefer_udp
          }
          prometheus :9253
          errors
          cache 30
          }
      import custom/*.server
      """, zones: [["cluster.local."], ["."]])

  static let deliveryhero = Deployment(
    name: "deliveryhero",
    text: """
      cluster.local:53 {
          errors
          cache {
                  success 9984 30
                  denial 9984 5
                  prefetch 10 1m 25%
                  serve_stale 1h immediate
          }
          reload
          loop
          bind 0.0.0.0
          forward . 172.20.0.10 {
                  force_tcp
          }
          prometheus :9253
          health :8080
          template IN AAAA {
            rcode NOERROR
          }
          }
      .:53 {
          errors
          cache 30
          reload
          loop
          bind 0.0.0.0
          forward . /etc/resolv.conf { }
          prometheus :9253
          }
      """, zones: [["cluster.local."], ["."]])

  static let ibm = Deployment(
    name: "IBM",
    text: """
      cluster.local:53 10.0.0.0/8 fd00::/7 {
          errors
          cache 30 {
              disable success cluster.local
              disable denial cluster.local
          }
          bind 169.254.20.10 172.21.0.10
          forward . 172.21.0.11 {
              force_tcp
              max_concurrent 1000
              policy sequential
              health_check 5s
          }
          prometheus :9253
          health 169.254.20.10:8080 {
              lameduck 5s
          }
      }
      """,
    zones: [["cluster.local.", "10.in-addr.arpa.", "c.f.ip6.arpa.", "d.f.ip6.arpa."]])

  static let aks = Deployment(
    name: "AKS",
    text: """
      .:53 {
          log . "{remote} {name} {rcode}" { # one line per denial
              class denial error
          }
          errors {
              consolidate 30s ".* i/o timeout$" warning
          }
          bind 169.254.10.10
          forward . 168.63.129.16 {
              policy sequential
              max_concurrent 1000
          }
          cache 3600s.example 3600.example {
              success 9984 3600
              denial 9984 30
              serve_stale 3600s immediate
              servfail 0s
          }
          prometheus 127.0.0.1:9253
          health :8181
          whoami
      }
      """, zones: [["."]])
}
