package stubmodel

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// control is the server's side door, for tests in another process:
//
//	POST /control/fault           a Fault as JSON
//	POST /control/heal            takes back every fault
//	GET  /control/requests?from=N the requests from number N on, as a JSON list
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /control/fault":
		var f Fault
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit)).Decode(&f)
		if err == nil {
			err = s.Inject(f)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case "POST /control/heal":
		s.Heal()
		w.WriteHeader(http.StatusNoContent)
	case "GET /control/requests":
		from, err := strconv.Atoi(r.URL.Query().Get("from"))
		if r.URL.Query().Get("from") != "" && (err != nil || from < 0) {
			http.Error(w, "from must be a number, 0 or more", http.StatusBadRequest)
			return
		}
		all := s.Requests()
		writeJSON(w, http.StatusOK, all[min(from, len(all)):])
	default:
		http.NotFound(w, r)
	}
}
