import Control
import Foundation
import Testing

@Suite struct HTTPEndpointTests {
  /// One for all tests: it lives as long as the process.
  private static let thread = HTTPThread()

  private static let large = [UInt8](repeating: UInt8(ascii: "x"), count: 8 << 20)

  private func serve(_ addresses: String..., reusePort: Bool = false) throws -> HTTPEndpoint {
    try HTTPEndpoint(
      on: Self.thread, addresses: addresses, reusePort: reusePort,
      routes: [
        "/health": { HTTPResponse(body: Array("OK".utf8)) },
        "/metrics": { HTTPResponse(contentType: Exposition.contentType, body: Array("a 1\n".utf8)) },
        "/large": { HTTPResponse(body: Self.large) },
      ])
  }

  @Test func healthIsOK() throws {
    let endpoint = try serve("127.0.0.1:0")
    let answer = try HTTPClient.ask(endpoint.addresses[0], "GET /health HTTP/1.1")
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(answer.contains("content-length: 2\r\n"))
    #expect(answer.hasSuffix("\r\n\r\nOK"))
    endpoint.stop()
  }

  @Test func theQueryIsNoPartOfThePath() throws {
    let endpoint = try serve("127.0.0.1:0")
    let answer = try HTTPClient.ask(endpoint.addresses[0], "GET /metrics?name=a HTTP/1.1")
    #expect(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"))
    #expect(answer.hasSuffix("\r\n\r\na 1\n"))
    endpoint.stop()
  }

  @Test func otherPathsAndMethodsAreRefused() throws {
    let endpoint = try serve("127.0.0.1:0")
    #expect(try HTTPClient.ask(endpoint.addresses[0], "GET / HTTP/1.1").hasPrefix("HTTP/1.1 404 "))
    #expect(try HTTPClient.ask(endpoint.addresses[0], "GET /healthz HTTP/1.1").hasPrefix("HTTP/1.1 404 "))
    #expect(try HTTPClient.ask(endpoint.addresses[0], "POST /health HTTP/1.1").hasPrefix("HTTP/1.1 405 "))
    #expect(try HTTPClient.ask(endpoint.addresses[0], "nonsense").hasPrefix("HTTP/1.1 400 "))
    endpoint.stop()
  }

  @Test func headHasTheLengthAndNoBody() throws {
    let endpoint = try serve("127.0.0.1:0")
    let answer = try HTTPClient.ask(endpoint.addresses[0], "HEAD /health HTTP/1.1")
    #expect(answer.contains("content-length: 2\r\n") && answer.hasSuffix("\r\n\r\n"))
    endpoint.stop()
  }

  @Test func aConnectionServesManyRequests() throws {
    let endpoint = try serve("127.0.0.1:0")
    let client = try HTTPClient(endpoint.addresses[0])
    for _ in 0..<200 {
      client.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(client.read()?.hasSuffix("OK") == true)
    }
    endpoint.stop()
  }

  @Test func aWildcardServesBothFamilies() throws {
    let endpoint = try serve(":0")
    let port = endpoint.addresses[0].split(separator: ":").last!
    #expect(try HTTPClient.ask("127.0.0.1:\(port)", "GET /health HTTP/1.1").hasSuffix("OK"))
    #expect(try HTTPClient.ask("[::1]:\(port)", "GET /health HTTP/1.1").hasSuffix("OK"))
    endpoint.stop()
  }

  @Test func severalAddressesAreServedAndNoneAfterStop() throws {
    let endpoint = try serve("127.0.0.1:0", "[::1]:0", "localhost:0")
    #expect(endpoint.addresses.count == 3)
    for address in endpoint.addresses {
      #expect(try HTTPClient.ask(address, "GET /health HTTP/1.1").hasSuffix("OK"))
    }
    endpoint.stop()
    for address in endpoint.addresses { #expect(throws: HTTPClient.Refused.self) { try HTTPClient(address) } }
  }

  @Test func twoShareAnAddressOnlyWithReusePort() throws {
    let first = try serve("127.0.0.1:0", reusePort: true)
    let second = try serve(first.addresses[0], reusePort: true)
    #expect(throws: SystemError("bind", first.addresses[0], errno: EADDRINUSE)) { try serve(first.addresses[0]) }
    first.stop()
    #expect(try HTTPClient.ask(second.addresses[0], "GET /health HTTP/1.1").hasSuffix("OK"))
    second.stop()
  }

  @Test(arguments: ["0", "", ":", "127.0.0.1", "127.0.0.1:65536", "::1:80", "x:y"])
  func anAddressThatIsNoneIsAnError(address: String) {
    #expect(throws: SystemError("listen", address, errno: EINVAL)) { try serve(address) }
  }

  @Test func oneAddressThatFailsLeavesNoneOpen() throws {
    let taken = try serve("127.0.0.1:0")
    let free = try serve("127.0.0.1:0")
    free.stop()
    #expect(throws: SystemError("bind", taken.addresses[0], errno: EADDRINUSE)) {
      try serve(free.addresses[0], taken.addresses[0])
    }
    #expect(throws: HTTPClient.Refused.self) { try HTTPClient(free.addresses[0]) }
    taken.stop()
  }

  @Test func aRequestOfMoreThan4KiBIsCutOff() throws {
    let endpoint = try serve("127.0.0.1:0")
    let head = "GET /health HTTP/1.1\r\nConnection: close\r\nX: "
    func ask(_ bytes: Int) throws -> String {
      let client = try HTTPClient(endpoint.addresses[0])
      client.send(head + String(repeating: "x", count: bytes - head.utf8.count - 4) + "\r\n\r\n")
      return client.readAll()
    }
    #expect(try ask(4096).hasSuffix("OK"))
    #expect(try ask(4097) == "")
    endpoint.stop()
  }

  @Test func aRequestThatTricklesInIsCutOffAfter5Seconds() throws {
    let endpoint = try serve("127.0.0.1:0")
    let client = try HTTPClient(endpoint.addresses[0])
    let start = ContinuousClock.now
    for byte in "GET /health HTTP/1.1\r\nX: " where ContinuousClock.now - start < .seconds(4) {
      client.send(String(byte))
      usleep(300_000)
    }
    #expect(client.readAll() == "")
    #expect((4.5..<7).contains((ContinuousClock.now - start) / .seconds(1)))
    endpoint.stop()
  }

  @Test func anIdleConnectionIsClosedAfter5Seconds() throws {
    let endpoint = try serve("127.0.0.1:0")
    let silent = try HTTPClient(endpoint.addresses[0])
    let served = try HTTPClient(endpoint.addresses[0])
    served.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(served.read()?.hasSuffix("OK") == true)
    #expect(silent.read() == "")
    #expect(served.read() == "")
    endpoint.stop()
  }

  /// 8 MiB do not fit into the socket's buffers, so the first answer is still in memory when the second request comes.
  @Test func aClientThatAsksAndDoesNotReadIsCutOff() throws {
    let endpoint = try serve("127.0.0.1:0")
    let client = try HTTPClient(endpoint.addresses[0])
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    usleep(200_000)
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    usleep(200_000)
    #expect(client.readAll().utf8.count < 8 << 20)
    endpoint.stop()
  }

  @Test func connection65IsClosedAndAFreedPlaceIsGivenAgain() throws {
    let endpoint = try serve("127.0.0.1:0")
    var clients = try (0..<64).map { _ in try HTTPClient(endpoint.addresses[0]) }
    let extra = try HTTPClient(endpoint.addresses[0])
    #expect((extra.read() ?? "").isEmpty)
    clients.removeFirst()
    usleep(100_000)
    #expect(try HTTPClient.ask(endpoint.addresses[0], "GET /health HTTP/1.1").hasSuffix("OK"))
    #expect(clients.count == 63)
    endpoint.stop()
  }
}
