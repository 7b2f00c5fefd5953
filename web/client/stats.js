// Numbers about a connection, from what getStats() returns: the path, rates, losses.

const bitsPerKbit = 1000;

function find(report, isWanted) {
  for (const entry of report.values()) {
    if (isWanted(entry)) return entry;
  }
  return null;
}

/** ICE's selected pair. Browsers tell it in three ways. */
function selectedPair(report) {
  const transport = find(report, ({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId);
  if (transport) return report.get(transport.selectedCandidatePairId) ?? null;
  const isPair = ({ type }) => type === 'candidate-pair';
  return find(report, (entry) => isPair(entry) && entry.selected)
    ?? find(report, (entry) => isPair(entry) && entry.nominated && entry.state === 'succeeded');
}

const inMs = (seconds) => (seconds === undefined ? null : Math.round(seconds * 1000));

/** The path as CallPath without `peer`; null while there is none. */
export function pathOf(report) {
  const pair = selectedPair(report);
  const local = pair && report.get(pair.localCandidateId);
  const remote = pair && report.get(pair.remoteCandidateId);
  if (!local || !remote) return null;
  const isRelayed = local.candidateType === 'relay';
  return {
    local: local.candidateType,
    remote: remote.candidateType,
    protocol: local.protocol,
    relayProtocol: isRelayed ? (local.relayProtocol ?? 'udp') : null,
    rttMs: inMs(pair.currentRoundTripTime),
  };
}

/** Whether media goes another way: the round trip time alone makes no other path. */
export function isSamePath(a, b) {
  return a?.local === b?.local && a?.remote === b?.remote
    && a?.protocol === b?.protocol && a?.relayProtocol === b?.relayProtocol;
}

/** How much a counter of an entry has grown since the previous report, and in how many ms. */
function growth(entry, before, counter) {
  if (!before || entry[counter] === undefined || before[counter] === undefined) return null;
  const ms = entry.timestamp - before.timestamp;
  return ms > 0 ? { by: entry[counter] - before[counter], ms } : null;
}

function kbps(entry, before, counter) {
  const grown = entry && growth(entry, before, counter);
  // A counter that falls belongs to another connection.
  return grown && grown.by >= 0 ? (grown.by * 8) / grown.ms : null;
}

function lossPercent(entry, before) {
  const lost = growth(entry, before, 'packetsLost');
  const received = growth(entry, before, 'packetsReceived');
  if (!lost || !received) return null;
  const expected = lost.by + received.by;
  return expected > 0 ? Math.max(0, (100 * lost.by) / expected) : null;
}

function describeVideo(entry) {
  return {
    width: entry.frameWidth ?? null,
    height: entry.frameHeight ?? null,
    framesPerSecond: entry.framesPerSecond ?? null,
  };
}

const codecOf = (report, entry) => report.get(entry.codecId)?.mimeType?.split('/')[1] ?? null;

function incoming(kind, report, before) {
  const entry = find(report, (each) => each.type === 'inbound-rtp' && each.kind === kind);
  if (!entry) return null;
  const previous = before?.get(entry.id);
  return {
    kbps: kbps(entry, previous, 'bytesReceived'),
    lossPercent: lossPercent(entry, previous),
    jitterMs: inMs(entry.jitter),
    ...describeVideo(entry),
    codec: codecOf(report, entry),
  };
}

function outgoing(kind, report, before) {
  const entry = find(report, (each) => each.type === 'outbound-rtp' && each.kind === kind);
  if (!entry) return null;
  const heard = report.get(entry.remoteId);
  return {
    kbps: kbps(entry, before?.get(entry.id), 'bytesSent'),
    lossPercent: heard?.fractionLost === undefined ? null : heard.fractionLost * 100,
    jitterMs: inMs(heard?.jitter),
    ...describeVideo(entry),
    codec: codecOf(report, entry),
  };
}

/** What carries bytes for all: the transport or, where browsers have no such entry, the pair. */
function carrier(report) {
  return find(report, ({ type, bytesReceived }) => type === 'transport' && bytesReceived !== undefined)
    ?? selectedPair(report);
}

const both = (make, report, before) => ({
  audio: make('audio', report, before),
  video: make('video', report, before),
});

/** PeerStats without `peer`, from this report and the one before (null: there is none). */
export function measure(report, before, at) {
  const all = carrier(report);
  const allBefore = all && before?.get(all.id);
  const path = pathOf(report);
  const available = selectedPair(report)?.availableOutgoingBitrate;
  return {
    at,
    path,
    rttMs: path?.rttMs ?? null,
    kbpsIn: kbps(all, allBefore, 'bytesReceived'),
    kbpsOut: kbps(all, allBefore, 'bytesSent'),
    availableKbpsOut: available === undefined ? null : available / bitsPerKbit,
    incoming: both(incoming, report, before),
    outgoing: both(outgoing, report, before),
  };
}
