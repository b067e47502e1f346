import ArgumentParser
import Corefile
import Template

/// Which Corefile is looked at, in node-cache's flags, so that a manifest's arguments can be pasted.
struct CorefileOptions: ParsableArguments {
  @Option(
    name: .dashed("conf"), help: ArgumentHelp("Corefile to look at; ./Corefile if nothing is named.", valueName: "path")
  )
  var conf: String?
  @Option(name: .dashed("basecorefile"), help: ArgumentHelp("Template to render instead.", valueName: "path"))
  var basecorefile: String?
  @Option(
    name: .dashed("localip"), help: ArgumentHelp("What __PILLAR__LOCAL__DNS__ becomes; renders.", valueName: "ip,..."))
  var localip: String?
  @Option(
    name: .dashed("kubednscm"), help: ArgumentHelp("Directory with the kube-dns ConfigMap; renders.", valueName: "dir"))
  var kubednscm: String?
  @Option(
    name: .dashed("upstreamsvc"),
    help: ArgumentHelp(
      "Service whose address, from <SERVICE>_SERVICE_HOST, replaces __PILLAR__CLUSTER__DNS__.", valueName: "name"))
  var upstreamsvc = "kube-dns"
  @Option(
    name: .dashed("prometheus-listen-address"),
    help: ArgumentHelp("What __PROMETHEUS__ENDPOINT__ becomes.", valueName: "host:port"))
  var prometheusListenAddress = ":9253"
  @Option(
    name: [.customLong("dns.port", withSingleDash: true), .customLong("dns.port"), .customShort("p")],
    help: ArgumentHelp("Default port of server blocks.", valueName: "port"))
  var port: UInt16 = 53

  /// What is to be parsed, and the name that errors give it.
  struct Source {
    let text: [UInt8]
    let name: String

    /// Placeholders that nothing replaced, each with its line: `Corefile:1 - __PILLAR__DNS__DOMAIN__`.
    var placeholders: [String] {
      let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      return lines.enumerated().flatMap { number, line in
        line.matches(of: /__PILLAR__[A-Z_]+__/).map { "\(name):\(number + 1) - \($0.output)" }
      }
    }
  }

  /// The file as it is; rendered where a flag of the template is given.
  func source(_ file: String?) throws(Flags.Refusal) -> Source {
    let path = file ?? conf ?? "Corefile"
    if basecorefile == nil && localip == nil && kubednscm == nil {
      return Source(text: try contents(path), name: path)
    }
    let template = basecorefile ?? path
    do {
      let values = try kubednscm.map { try RenderedCorefile.configMap($0).get() } ?? [:]
      let config = try KubeDNSConfig(values, environment: .process)
      let rendering = try Template(String(decoding: try contents(template), as: UTF8.self)).render(self.values, config)
      return Source(text: Array(rendering.text.utf8), name: "\(template) (rendered)")
    } catch let refusal as Flags.Refusal {
      throw refusal
    } catch {
      throw Flags.Refusal(message: "\(template): \(error)", status: 1)
    }
  }

  func configuration(_ source: Source) throws(Flags.Refusal) -> Configuration {
    do {
      return try Corefile.parse(source.text, file: source.name, defaultPort: port, environment: .process)
    } catch {
      throw Flags.Refusal(message: "\(error)", status: 1)
    }
  }

  private var values: Template.Values {
    Template.Values(
      localIPs: localip?.split(separator: ",").map(String.init) ?? [],
      clusterDNS: ClusterDNS(service: upstreamsvc, environment: .process),
      prometheusEndpoint: prometheusListenAddress, port: port)
  }

  private func contents(_ path: String) throws(Flags.Refusal) -> [UInt8] {
    do {
      return try TextFile.corefile(path)
    } catch {
      throw Flags.Refusal(message: "\(error)", status: 1)
    }
  }
}

extension NameSpecification {
  /// A name with one dash or two.
  static func dashed(_ name: String) -> NameSpecification {
    [.customLong(name, withSingleDash: true), .customLong(name)]
  }
}
