import Glibc

/// Runs iptables, ip6tables and nft, and says what their failures mean.
enum FirewallProgram {
  /// How long a check may take, as in node-cache.
  static let limit = Duration.seconds(300)

  /// What a run that yielded no exit code means.
  static func failure(_ words: [String], _ cause: Command.Failure) -> NetworkFailure {
    let program = words[0]
    let text =
      switch cause {
      case .notStarted(ENOENT):
        "\(program) is not in PATH: put it into the image, choose --firewall nftables or iptables by what is there, "
          + "or set -setupiptables=false"
      case .notStarted(let code): "cannot start \(program): \(errorText(code)); trying again later"
      case .tookTooLong: "\(words.joined(separator: " ")): not done in time, and killed; trying again later"
      case .interrupted: "\(program): stopped, for the process ends"
      case .killed(let signal): "\(program): killed by signal \(signal); trying again later"
      }
    return NetworkFailure(.iptables, text)
  }

  /// What an exit code other than 0 means.
  static func failure(_ words: [String], _ ending: Command.Ending) -> NetworkFailure {
    let said = ending.errors.split(separator: "\n").joined(separator: " ")
    let text = "\(words[0]): exit \(ending.status): \(said)"
    // iptables(8), xshared.c: the words by which node-cache knows it too.
    if said.contains("holding the xtables lock") {
      return NetworkFailure(
        .iptablesLock,
        "\(text); another program holds the lock, trying again later (is /run/xtables.lock mounted from the node?)")
    }
    if said.contains("ermission denied") || said.contains("not permitted") {
      return NetworkFailure(
        .iptables, "\(text); give the container the capability NET_ADMIN, or set -setupiptables=false")
    }
    return NetworkFailure(.iptables, "\(text); trying again later")
  }
}
