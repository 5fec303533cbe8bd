// Lists through hooks in their own items: adding and taking out cost no allocation and cannot fail.
#ifndef LLMROUTER_NET_LINKED_LIST_H_
#define LLMROUTER_NET_LINKED_LIST_H_

namespace llmrouter::net {

// An item derives from one hook for each kind of list it can stand in, and stands in at most one list of each kind at a time.
template <typename Tag>
class Hook {
 public:
  Hook() = default;
  ~Hook() { unlink(); }
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;
  bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename, typename>
  friend class List;
  Hook* next_ = nullptr;
  Hook* previous_ = nullptr;
};

// Does not own its items; those left when it goes are unlinked.
template <typename T, typename Tag>
class List {
 public:
  List() noexcept { end_.next_ = end_.previous_ = &end_; }
  ~List() {
    while (take_first() != nullptr) {
    }
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const noexcept { return end_.next_ == &end_; }
  // A linked item is moved here.
  void add_last(T& item) noexcept { insert(item, *end_.previous_); }
  void add_first(T& item) noexcept { insert(item, end_); }
  T* take_first() noexcept {  // null: there is none
    if (empty()) return nullptr;
    Hook<Tag>* first = end_.next_;
    first->unlink();
    return static_cast<T*>(first);
  }
  // All of the other's items, after those here.
  void take_all(List& other) noexcept {
    while (T* item = other.take_first()) add_last(*item);
  }

 private:
  void insert(Hook<Tag>& item, Hook<Tag>& after) noexcept {
    if (&item == &after) return;
    item.unlink();
    item.previous_ = &after;
    item.next_ = after.next_;
    after.next_->previous_ = &item;
    after.next_ = &item;
  }
  Hook<Tag> end_;
};

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_LINKED_LIST_H_
