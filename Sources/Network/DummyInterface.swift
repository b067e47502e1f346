import CNetlink
import Corefile
import Glibc

/// The interface that carries the addresses: a dummy, never brought up, for the kernel takes packets for its addresses
/// all the same and an interface that is up would get a link-local address (`spec/drop-in.md` a.7).
///
/// An interface of that name that exists is used as it is: missing addresses are added, others left.
struct DummyInterface {
  private struct Link {
    let index: Int32
    /// `dummy`, `veth`; empty for hardware.
    let kind: String
  }

  let name: String
  let addresses: [IPAddress]
  private let socket: NetlinkSocket
  /// Addresses that were not there when this process looked first.
  private var added: [IPAddress] = []

  init(name: String, addresses: [IPAddress]) throws(NetworkFailure) {
    self.name = name
    self.addresses = addresses
    do {
      socket = try NetlinkSocket(NETLINK_ROUTE)
    } catch {
      throw NetworkFailure(.interfaceCheck, "interface \(name): netlink socket: \(errorText(error.errno))")
    }
  }

  /// Creates what is missing of interface and addresses: what that was, for the log, and which addresses failed.
  mutating func ensure() throws(NetworkFailure) -> (made: [String], failures: [NetworkFailure]) {
    if let link = try find() { return ensureAddresses(of: link, .interfaceCheck) }
    let kind = NetlinkMessage.attribute(Int(IFLA_INFO_KIND), Array("dummy".utf8))
    do {
      _ = try socket.request(
        RTM_NEWLINK, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, fixed: Self.link(),
        attributes: [(Int(IFLA_IFNAME), Array(name.utf8) + [0]), (Int(IFLA_LINKINFO), kind)])
    } catch {
      // EEXIST: another instance was faster.
      if error.errno != EEXIST { throw failure(.interfaceAdd, "create", error) }
    }
    guard let link = try find() else {
      throw NetworkFailure(.interfaceAdd, "interface \(name): created, and gone at once: does something remove it?")
    }
    let (made, failures) = ensureAddresses(of: link, .interfaceAdd)
    return (["interface \(name)"] + made, failures)
  }

  /// Removes the interface if it is a dummy, whichever process made it, as node-cache does; of another's interface
  /// only the addresses that were added.
  func remove() throws(NetworkFailure) -> [String] {
    guard let link = try find() else { return [] }
    var removed: [String] = []
    do throws(NetlinkSocket.Failure) {
      if link.kind == "dummy" {
        _ = try socket.request(RTM_DELLINK, fixed: Self.link(index: link.index))
        return ["interface \(name)"]
      }
      for address in added {
        do {
          _ = try socket.request(
            RTM_DELADDR, fixed: Self.header(of: address, on: link), attributes: Self.attributes(of: address))
          removed.append("\(address) on \(name)")
        } catch {
          // EADDRNOTAVAIL: somebody else removed it.
          if error.errno != EADDRNOTAVAIL { throw error }
        }
      }
    } catch {
      throw failure(.interfaceCheck, "remove", error)
    }
    return removed
  }

  private mutating func ensureAddresses(of link: Link, _ kind: NetworkFailure.Kind) -> ([String], [NetworkFailure]) {
    var (made, failures): ([String], [NetworkFailure]) = ([], [])
    let present: Set<[UInt8]>
    do { present = try self.present(on: link) } catch { return ([], [failure(kind, "list the addresses of", error)]) }
    for address in addresses where !present.contains(address.bytes) {
      do {
        _ = try socket.request(
          RTM_NEWADDR, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, fixed: Self.header(of: address, on: link),
          attributes: Self.attributes(of: address))
        made.append("\(address) on \(name)")
        if !added.contains(address) { added.append(address) }
      } catch {
        // EEXIST: another instance was faster.
        if error.errno != EEXIST { failures.append(failure(kind, "add \(address) to", error)) }
        // What one may not do, one may not do for the others.
        if error.errno == EPERM { break }
      }
    }
    return (made, failures)
  }

  private func present(on link: Link) throws(NetlinkSocket.Failure) -> Set<[UInt8]> {
    let all = try socket.request(RTM_GETADDR, flags: NLM_F_DUMP, fixed: [UInt8](repeating: 0, count: 8))
    var present: Set<[UInt8]> = []
    // struct ifaddrmsg: family, prefix length, flags and scope of one byte each, then the interface's index.
    for part in all where integer(part.body, at: 4) == link.index {
      present.formUnion(Self.addresses(in: part))
    }
    return present
  }

  /// The addresses that an RTM_NEWADDR or RTM_DELADDR is about.
  static func addresses(in part: NetlinkPart) -> [[UInt8]] {
    let attributes = part.attributes(skipping: 8)
    return [IFA_LOCAL, IFA_ADDRESS].compactMap { attributes[Int($0)].map { Array($0) } }
  }

  /// The interface's name in an RTM_NEWLINK or RTM_DELLINK.
  static func name(in part: NetlinkPart) -> String? { part.attributes(skipping: 16)[Int(IFLA_IFNAME)].map(text) }

  private func find() throws(NetworkFailure) -> Link? {
    do {
      let answer = try socket.request(
        RTM_GETLINK, fixed: Self.link(), attributes: [(Int(IFLA_IFNAME), Array(name.utf8) + [0])])
      guard let part = answer.first, let index: Int32 = integer(part.body, at: 4) else { return nil }
      let information = part.attributes(skipping: 16)[Int(IFLA_LINKINFO)] ?? []
      let kind = NetlinkPart.attributes(in: information)[Int(IFLA_INFO_KIND)] ?? []
      return Link(index: index, kind: text(kind))
    } catch {
      if error.errno == ENODEV { return nil }
      throw failure(.interfaceCheck, "look at", error)
    }
  }

  private func failure(
    _ kind: NetworkFailure.Kind, _ step: String, _ error: NetlinkSocket.Failure
  ) -> NetworkFailure {
    let advice =
      switch error.errno {
      case EACCES: "is IPv6 off on this node (sysctl net.ipv6.conf.default.disable_ipv6)?"
      case EPERM:
        "give the container the capability NET_ADMIN, or have the addresses on an interface and set "
          + "-setupinterface=false"
      case EOPNOTSUPP:
        "this kernel has no dummy interfaces: load the module 'dummy' on the node, or create an interface of that name"
      case ERANGE, EINVAL: "see that -interfacename is 1 to 15 bytes without '/' and white space"
      default: "trying again later"
      }
    return NetworkFailure(kind, "cannot \(step) interface \(name): \(errorText(error.errno)); \(advice)")
  }

  /// struct ifinfomsg: family, type, index, flags, change (rtnetlink(7)).
  private static func link(index: Int32 = 0) -> [UInt8] {
    [0, 0, 0, 0] + native(index) + native(UInt32(0)) + native(UInt32(0))
  }

  /// struct ifaddrmsg. A lone address is unique: without duplicate address detection it can be bound to at once.
  private static func header(of address: IPAddress, on link: Link) -> [UInt8] {
    let family = UInt8(address.isIPv4 ? AF_INET : AF_INET6)
    let flags = UInt8(address.isIPv4 ? 0 : IFA_F_NODAD)
    return [family, UInt8(address.bytes.count * 8), flags, 0] + native(link.index)
  }

  private static func attributes(of address: IPAddress) -> [(Int, [UInt8])] {
    [(Int(IFA_LOCAL), address.bytes), (Int(IFA_ADDRESS), address.bytes)]
  }
}
