package admin

import (
	"net/url"
	"strings"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

// behind returns the filter for the messages of one signal; nil is none.
func (p userPage) behind() (*store.Behind, error) {
	signal := scoring.Signal(p.Filter.Signal)
	window, err := scoring.WindowNamed(p.Filter.Window)
	switch {
	case err != nil:
		return nil, store.Malformed(err.Error())
	case signal == "":
		return nil, nil
	case !signal.Known():
		return nil, store.BadParameter{Name: "signal",
			Malformed: "signal is the name of a signal of the formula, such as red_flags."}
	}
	return &store.Behind{Signal: signal, Window: window, Formula: p.Formula}, nil
}

// SignalTitle returns the signal, the time frame and the formula that the list of
// messages is limited to; empty without one.
func (p userPage) SignalTitle() string {
	behind, err := p.behind()
	if err != nil || behind == nil {
		return ""
	}
	return behind.Signal.Title() + ", " + strings.ToLower(behind.Window.Title()) + ", by the formula " + p.Formula.Name
}

// tabs returns the tabs with the numbers of their rows.
func (p userPage) tabs() []Choice {
	tabs := []Choice{
		{p.tab("messages"), "Messages " + number(p.User.Stats[scoring.Total].Messages), p.Filter.Tab == "messages"},
		{p.tab("given"), "Feedback " + number(p.Given), p.Filter.Tab == "given"},
		{p.tab("actions"), "Actions", p.Filter.Tab == "actions"},
	}
	if p.Brief.Done != nil {
		tabs[2].Text += " " + number(*p.Brief.Done)
	}
	return tabs
}

// tab returns the address of a tab. It leaves out the choices in other tabs.
func (p userPage) tab(name string) string {
	values := url.Values{}
	for _, chosen := range [][2]string{{"formula", p.Filter.Formula}, {"open", p.Filter.Open}} {
		if chosen[1] != "" {
			values.Set(chosen[0], chosen[1])
		}
	}
	if name != "messages" {
		values.Set("tab", name)
	}
	if len(values) == 0 {
		return p.Self
	}
	return p.Self + "?" + values.Encode()
}

// grantable returns the roles that a person may grant to a user, with the
// user's present role.
func (s *Server) grantable(person store.Person, has string) []Choice {
	if !person.May(policy.UserRole) {
		return nil
	}
	var roles []Choice
	for _, role := range person.Policy.Roles() {
		granted := policy.Subject{Role: role.Name}
		if role.Name == has || person.Policy.MayGrant(policy.Subject{Role: person.Role}, granted) == nil {
			roles = append(roles, Choice{role.Name, capital(role.Title), role.Name == has})
		}
	}
	return roles
}

// Via returns the user's way to sign in, in words.
func (p userPage) Via() string {
	switch method := p.User.AuthMethod; method {
	case "local":
		return "account of this console"
	case "discord", "google", "github":
		return "via " + map[string]string{"discord": "Discord", "google": "Google", "github": "GitHub"}[method]
	default:
		return "via " + method
	}
}
