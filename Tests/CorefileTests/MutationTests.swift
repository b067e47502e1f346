import Corefile
import Testing

/// Damaged files: each gives an error with a line or a configuration, in bounded time.
@Suite struct MutationTests {
  /// splitmix64.
  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
  }

  private static let inserts = [
    "{", "}", "\"", "\\", "#", "\n", " ", ",", "import ", "import a\n", "(a) {\n", "{$X}", "{%X%}", "/0", "10.0.0.0/9 ",
    "::/1 ", "9999999999999999999", "-1", "tls://", "%", ":", "[", "]", "\u{0}", "é", "1h", "0", "a..b", "*",
  ].map { Array($0.utf8) }

  /// The directives and options that no deployment has.
  private static let rare = """
    (tail) {
      timeouts {
        read 10
        idle 1h30m
      }
      bufsize 1232
    }
    a.example, 10.0.0.0/15,
    2001:db8::/30:54 {
      import tail
      bind lo eth0 {
        except ::1
      }
      log . "{combined} {/k/pod}" {
        class denial
      }
      hosts /etc/hosts a {
        10.0.0.1 a.example b
        fe80::1%eth0 c
        ttl 60
        fallthrough
      }
      acl a.b {
        block type A net 10.0.0.0/8 ::1
        filter net *
      }
      any
      minimal
      nsid a b
      ready :8181
      loadbalance weighted w {
        reload 1m
        prefer 10.0.0.0/8 ::/0
      }
      rewrite continue name regex (.*)\\.a {1}.b answer name (.*)\\.b {1}.a value x y
      rewrite stop edns0 local set 0xffee 0x61ff revert
      rewrite ttl suffix a 30-60
      rewrite cname exact a b
      template ANY A b {
        match "^(?P<x>[0-9]*)[.]"
        answer "{{ .Name }} 60 IN A 10.0.0.{{ .Group.x }} {{ index .Match 1 }}"
        ederror 21 "not here"
        fallthrough
      }
      forward . tls://9.9.9.9%dns.quad9.net:853 [2001:db8::1%x]:54 {
        tls a b c
        health_check 0.5s no_rec domain a.b
        failover SERVFAIL REFUSED
        next NXDOMAIN
      }
    }
    """

  private static func mutate(_ bytes: [UInt8], _ dice: inout Dice) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &dice) {
      let index = Int.random(in: 0...bytes.count, using: &dice)
      let end = min(bytes.count, index + Int.random(in: 1...20, using: &dice))
      switch Int.random(in: 0..<5, using: &dice) {
      case 0: bytes.insert(contentsOf: inserts.randomElement(using: &dice)!, at: index)
      case 1: bytes.removeSubrange(index..<end)
      case 2: bytes.insert(contentsOf: bytes[index..<end], at: Int.random(in: 0...bytes.count, using: &dice))
      case 3: if index < bytes.count { bytes[index] = UInt8.random(in: 0...255, using: &dice) }
      default: bytes.removeSubrange(index...)
      }
    }
    return bytes
  }

  @Test(arguments: 0..<10)
  func noFileTraps(seed: UInt64) throws {
    let environment = Environment(
      variables: ["X": "{ } \" #"],
      files: ["a": "import b\nerrors", "b": "import a", "/etc/resolv.conf": "nameserver 10.0.0.1"])
    let seeds = (Deployments.all.map(\.text) + [MutationTests.rare]).map { Array($0.utf8) }
    #expect(refusal(MutationTests.rare, environment: environment) == nil)
    var dice = Dice(state: seed)
    var accepted = 0
    for round in 0..<10_000 {
      let bytes = MutationTests.mutate(seeds[round % seeds.count], &dice)
      do {
        let configuration = try Corefile.parse(bytes, environment: environment)
        accepted += 1
        #expect(configuration.blocks.allSatisfy { !$0.keys.isEmpty })
      } catch {
        #expect(error.location.line > 0 && !error.message.isEmpty)
      }
    }
    // Mutations must reach past the grammar.
    #expect(accepted > 500)
  }
}
