import Synchronization

/// The HTTP endpoints that server blocks ask for, by address: they follow the configuration.
final class Endpoints: Sendable {
  typealias Routes = [String: HTTPEndpoint.Handler]

  let thread = HTTPThread()
  private let open = Mutex<[String: HTTPEndpoint]>([:])

  private let fixed = Mutex<HTTPEndpoint?>(nil)

  /// Opens the one that is no configuration's.
  func openFixed(_ address: String, _ routes: Routes) throws(SystemError) {
    let endpoint = try HTTPEndpoint(on: thread, addresses: [address], reusePort: false, routes: routes)
    fixed.withLock { $0 = endpoint }
  }

  /// Closes all: another process opens them.
  func closeAll() {
    fixed.withLock { $0.take() }?.stop()
    let closing = open.withLock { open in
      let closing = Array(open.values)
      open = [:]
      return closing
    }
    for endpoint in closing { endpoint.stop() }
  }

  /// Opens those of `wanted`, by address, that are not open, and then closes those that nobody wants any more. If one
  /// cannot be opened, all stays as it was.
  func follow(_ wanted: [String: Routes]) throws(SystemError) {
    let before = open.withLock { $0 }
    var after = before.filter { wanted[$0.key] != nil }
    var opened: [HTTPEndpoint] = []
    for (address, routes) in wanted where after[address] == nil {
      do {
        let endpoint = try HTTPEndpoint(on: thread, addresses: [address], reusePort: true, routes: routes)
        opened.append(endpoint)
        after[address] = endpoint
      } catch {
        for endpoint in opened { endpoint.stop() }
        throw error
      }
    }
    for (address, endpoint) in before where wanted[address] == nil { endpoint.stop() }
    open.withLock { $0 = after }
  }
}
