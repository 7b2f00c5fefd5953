// Everyone in a session publishes one stream and sees those of all others.

var OV;
var session;

function joinSession() {
  OV = new OpenVidu();
  session = OV.initSession();

  session.on('streamCreated', (event) => session.subscribe(event.stream, 'subscriber'));
  session.on('streamDestroyed', (event) => console.log(`gone: ${event.stream.streamId}`));
  session.on('exception', (exception) => console.warn(exception));

  getToken(document.getElementById('sessionId').value)
    .then((token) => session.connect(token))
    .then(() => session.publish(OV.initPublisher('publisher')))
    .catch((error) => console.error(`no session: ${error.code} ${error.message}`));
}

function leaveSession() {
  if (session) session.disconnect();
}

window.onbeforeunload = leaveSession;

document.getElementById('join').onsubmit = (event) => {
  event.preventDefault();
  joinSession();
};
document.getElementById('leave').onclick = leaveSession;

const getToken = (sessionId) => createSession(sessionId).then(createToken);

const createSession = (sessionId) => post('api/sessions', { customSessionId: sessionId });

const createToken = (sessionId) => post(`api/sessions/${sessionId}/connections`, {});

async function post(route, body) {
  const response = await fetch(APPLICATION_SERVER_URL + route, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${route}: ${response.status}`);
  return response.text();
}
